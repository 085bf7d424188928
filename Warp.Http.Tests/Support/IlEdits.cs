using System.Text;
using Mono.Cecil;
using Mono.Cecil.Cil;
using Mono.Cecil.Rocks;

namespace Warp.Http.Tests.Support;

/// <summary>The edits of <see cref="AssemblyMutant"/> on one body, whose macros (short forms) are expanded.</summary>
internal static class IlEdits
{
    // A comparison, its being stored and loaded again in a debug build, and the branch lie within so many instructions.
    private const int ConditionReach = 8;

    public static List<Instruction> CallsOf(this MethodBody body, string name) => body.Instructions.Where(instruction =>
        instruction is { OpCode.Code: Code.Call or Code.Callvirt, Operand: MethodReference called } && called.Name == name).ToList();

    public static void ReplaceByDefault(this MethodBody body, Instruction call)
    {
        var called = (MethodReference)call.Operand;
        var il = body.GetILProcessor();
        if (call.Previous?.OpCode.OpCodeType == OpCodeType.Prefix) Blank(call.Previous);
        var pops = called.Parameters.Count + (called.HasThis ? 1 : 0);
        Blank(call); // kept as an instruction, since a branch may lead to it
        var last = call;
        for (var i = 0; i < pops; i++) last = InsertAfter(il, last, il.Create(OpCodes.Pop));
        foreach (var instruction in Default(body, IlTypes.ReturnTypeOf(called))) last = InsertAfter(il, last, instruction);
    }

    public static int MoveCall(this MethodBody body, string name, Instruction to)
    {
        // Calls that stand before the place already need no moving.
        var call = body.CallsOf(name).Find(candidate => body.Instructions.IndexOf(candidate) > body.Instructions.IndexOf(to));
        if (call is null) return 0;
        var start = body.StartOf(call);
        var end = call;
        if (!IlTypes.IsVoid(((MethodReference)call.Operand).ReturnType))
        {
            end = call.Next;
            if (end.OpCode.Code is not (Code.Pop or Code.Stloc))
                throw new InvalidOperationException($"{name} cannot be moved in {body.Method.FullName}: its result is used.");
        }

        var il = body.GetILProcessor();
        Instruction? first = null;
        for (var part = start; ; part = part.Next)
        {
            var copy = il.Create(OpCodes.Nop);
            (copy.OpCode, copy.Operand) = (part.OpCode, part.Operand);
            il.InsertBefore(to, copy);
            first ??= copy;
            Blank(part);
            if (part == end) break;
        }

        body.Redirect(from: to, to: first);
        return 1;
    }

    /// <summary>The first instruction of the expression that ends in this call.</summary>
    public static Instruction StartOf(this MethodBody body, Instruction call)
    {
        var targets = body.Instructions.SelectMany(instruction => instruction.Operand switch
        {
            Instruction one => [one],
            Instruction[] many => many,
            _ => Array.Empty<Instruction>(),
        }).ToHashSet();
        var missing = IlTypes.Pops(call);
        var start = call;
        while (missing > 0)
        {
            if (targets.Contains(start)
                || start.Previous is not { OpCode.FlowControl: FlowControl.Next or FlowControl.Call or FlowControl.Meta } previous)
                throw new InvalidOperationException($"The arguments of {call.Operand} in {body.Method.FullName} are not a straight line.");
            start = previous;
            missing += IlTypes.Pops(start) - IlTypes.Pushes(start);
        }

        return start.Previous?.OpCode.OpCodeType == OpCodeType.Prefix ? start.Previous : start;
    }

    public static void InsertSleep(this MethodBody body, Instruction call, int milliseconds)
    {
        var il = body.GetILProcessor();
        var place = call.Previous?.OpCode.OpCodeType == OpCodeType.Prefix ? call.Previous : call;
        var first = il.Create(OpCodes.Ldc_I4, milliseconds);
        il.InsertBefore(place, first);
        var sleep = typeof(Thread).GetMethod(nameof(Thread.Sleep), [typeof(int)]);
        il.InsertBefore(place, il.Create(OpCodes.Call, body.Method.Module.ImportReference(sleep)));
        body.Redirect(from: place, to: first);
    }

    public static void AddAfter(this MethodBody body, Instruction call, long difference)
    {
        var il = body.GetILProcessor();
        InsertAfter(il, InsertAfter(il, call, il.Create(OpCodes.Ldc_I8, difference)), il.Create(OpCodes.Add));
    }

    public static int NegateLastArgumentsOf(this MethodBody body, string name)
    {
        var calls = body.Instructions.Where(i => i.OpCode.FlowControl == FlowControl.Call && i.Operand is MethodReference called && called.Name == name).ToList();
        foreach (var call in calls) body.GetILProcessor().InsertBefore(call, Instruction.Create(OpCodes.Neg));
        return calls.Count;
    }

    public static int NegateConditionsOn(this MethodBody body, string name)
    {
        var hits = 0;
        foreach (var judged in body.Instructions.Where(instruction => instruction.Operand is MemberReference member && member.Name == name))
        {
            var branch = judged.Next;
            for (var i = 0; i < ConditionReach && branch is { OpCode.FlowControl: not FlowControl.Cond_Branch }; i++) branch = branch.Next;
            if (branch is null || !IlTypes.Opposite.TryGetValue(branch.OpCode.Code, out var opposite)) continue;
            branch.OpCode = opposite;
            hits++;
        }

        return hits;
    }

    public static void ReturnOnly(MethodDefinition method, object? result)
    {
        var body = method.Body = new MethodBody(method) { InitLocals = true };
        var il = body.GetILProcessor();
        var value = result is null ? Default(body, method.ReturnType) : Constant(body, method.ReturnType, result);
        foreach (var instruction in value) il.Append(instruction);
        il.Append(il.Create(OpCodes.Ret));
        // The state machine is no longer used, and a debugger must not look for it.
        foreach (var attribute in method.CustomAttributes.Where(a => a.AttributeType.Name == "AsyncStateMachineAttribute").ToList())
            method.CustomAttributes.Remove(attribute);
    }

    public static void CallAtStart(MethodDefinition method, string calledName)
    {
        var called = method.DeclaringType.Methods.SingleOrDefault(candidate => candidate.Name == calledName)
            ?? throw new InvalidOperationException($"{method.DeclaringType.FullName} has not exactly one method {calledName}.");
        var il = method.Body.GetILProcessor();
        var first = method.Body.Instructions[0];
        if (called.HasThis) il.InsertBefore(first, il.Create(OpCodes.Ldarg_0));
        foreach (var wanted in called.Parameters)
        {
            var type = wanted.ParameterType.FullName;
            var given = method.Parameters.SingleOrDefault(p => p.Name == wanted.Name && p.ParameterType.FullName == type)
                ?? throw new InvalidOperationException($"{method.FullName} has no parameter {wanted.Name} to hand to {calledName}.");
            il.InsertBefore(first, il.Create(OpCodes.Ldarg, given));
        }

        il.InsertBefore(first, il.Create(OpCodes.Call, called));
        if (!IlTypes.IsVoid(called.ReturnType)) il.InsertBefore(first, il.Create(OpCodes.Pop));
    }

    public static void IncrementLastByteOf(MethodDefinition method, string parameterName)
    {
        var array = method.Parameters.Single(parameter => parameter.Name == parameterName);
        var il = method.Body.GetILProcessor();
        var first = method.Body.Instructions[0];
        foreach (var added in (Instruction[])[
            il.Create(OpCodes.Ldarg, array), il.Create(OpCodes.Ldarg, array), il.Create(OpCodes.Ldlen), il.Create(OpCodes.Conv_I4), il.Create(OpCodes.Ldc_I4_1), il.Create(OpCodes.Sub),
            il.Create(OpCodes.Ldelema, method.Module.TypeSystem.Byte), il.Create(OpCodes.Dup), il.Create(OpCodes.Ldind_U1), il.Create(OpCodes.Ldc_I4_1), il.Create(OpCodes.Add),
            il.Create(OpCodes.Conv_U1), il.Create(OpCodes.Stind_I1),
        ])
            il.InsertBefore(first, added);
    }

    private static IEnumerable<Instruction> Default(MethodBody body, TypeReference type)
    {
        if (IlTypes.IsVoid(type)) return [];
        var module = body.Method.Module;
        if (type.FullName == "System.Threading.Tasks.Task")
        {
            var completed = typeof(Task).GetProperty(nameof(Task.CompletedTask))!.GetMethod;
            return [Instruction.Create(OpCodes.Call, module.ImportReference(completed))];
        }

        if (type is GenericInstanceType { ElementType.FullName: "System.Threading.Tasks.Task`1" } task)
        {
            var result = task.GenericArguments[0];
            return [.. Default(body, result), Instruction.Create(OpCodes.Call, FromResult(module, result))];
        }

        var local = new VariableDefinition(module.ImportReference(type));
        body.Variables.Add(local);
        body.InitLocals = true;
        return
        [
            Instruction.Create(OpCodes.Ldloca, local),
            Instruction.Create(OpCodes.Initobj, local.VariableType),
            Instruction.Create(OpCodes.Ldloc, local),
        ];
    }

    private static IEnumerable<Instruction> Constant(MethodBody body, TypeReference type, object value)
    {
        var module = body.Method.Module;
        if (type is GenericInstanceType { ElementType.FullName: "System.Threading.Tasks.Task`1" } task)
            return [Load(value), Instruction.Create(OpCodes.Call, FromResult(module, task.GenericArguments[0]))];
        if (type is GenericInstanceType { ElementType.FullName: "System.Threading.Tasks.ValueTask`1" } valueTask)
        {
            var open = module.ImportReference(typeof(ValueTask<>).GetConstructors().Single(c =>
                c.GetParameters() is [{ ParameterType.IsGenericParameter: true }]));
            var constructor = new MethodReference(open.Name, open.ReturnType, valueTask) { HasThis = true };
            constructor.Parameters.Add(new ParameterDefinition(open.Parameters[0].ParameterType));
            return [Load(value), Instruction.Create(OpCodes.Newobj, constructor)];
        }

        return [Load(value)];
    }

    private static Instruction Load(object value) => value switch
    {
        bool flag => Instruction.Create(OpCodes.Ldc_I4, flag ? 1 : 0),
        int number => Instruction.Create(OpCodes.Ldc_I4, number),
        long number => Instruction.Create(OpCodes.Ldc_I8, number),
        string text => Instruction.Create(OpCodes.Ldstr, text),
        _ => throw new ArgumentException($"A mutant can return bool, int, long or string, not {value.GetType()}.", nameof(value)),
    };

    private static GenericInstanceMethod FromResult(ModuleDefinition module, TypeReference result) =>
        new(module.ImportReference(typeof(Task).GetMethod(nameof(Task.FromResult))))
        {
            GenericArguments = { module.ImportReference(result) },
        };

    private static Instruction InsertAfter(ILProcessor il, Instruction place, Instruction added)
    {
        il.InsertAfter(place, added);
        return added;
    }

    private static void Blank(Instruction instruction) => (instruction.OpCode, instruction.Operand) = (OpCodes.Nop, null);

    private static void Redirect(this MethodBody body, Instruction from, Instruction to)
    {
        foreach (var instruction in body.Instructions)
        {
            if (instruction.Operand == from) instruction.Operand = to;
            else if (instruction.Operand is Instruction[] targets) targets.AsSpan().Replace(from, to);
        }

        foreach (var handler in body.ExceptionHandlers)
        {
            if (handler.TryStart == from) handler.TryStart = to;
            if (handler.TryEnd == from) handler.TryEnd = to;
            if (handler.HandlerStart == from) handler.HandlerStart = to;
            if (handler.HandlerEnd == from) handler.HandlerEnd = to;
        }
    }
}

/// <summary><c>"…"u8</c> is not a string in metadata but bytes behind a field.</summary>
internal static class Utf8Literal
{
    public static byte[]? Replace(byte[] literal, string from, string to)
    {
        var wanted = Encoding.UTF8.GetBytes(from);
        var at = literal.AsSpan().IndexOf(wanted);
        if (at < 0) return null;
        var given = Encoding.UTF8.GetBytes(to);
        if (given.Length > wanted.Length)
            throw new InvalidOperationException($"'{to}' is longer than '{from}', and the code around a u8 literal fixes its length.");
        var replaced = (byte[])literal.Clone();
        replaced.AsSpan(at, wanted.Length).Fill((byte)' ');
        given.CopyTo(replaced, at);
        return replaced;
    }
}
