using Mono.Cecil;
using Mono.Cecil.Cil;
using Mono.Cecil.Rocks;

namespace Warp.Http.Tests.Support;

/// <summary>
/// A copy of the built service with a defect put into it on purpose. A fault test that does not notice the defect it is meant
/// for proves nothing.
/// </summary>
/// <remarks>
/// A type is named in full (<c>Warp.Http.Storage.ShardWriter</c>, nested ones with <c>/</c>) or <c>*</c> for every type, a method by its
/// source name or <c>*</c>; the bodies meant are the method's own and those the compiler made from it: state machines, iterators,
/// lambdas, local functions. Each edit throws when it changed nothing, so that a renamed method cannot turn a mutant into the original.
/// </remarks>
public sealed class AssemblyMutant : IDisposable
{
    private readonly AssemblyDefinition _assembly;
    private readonly string _directory;

    private AssemblyMutant(string assemblyPath)
    {
        _directory = Path.GetDirectoryName(assemblyPath)!;
        var resolver = new DefaultAssemblyResolver();
        resolver.AddSearchDirectory(_directory);
        _assembly = AssemblyDefinition.ReadAssembly(assemblyPath, new ReaderParameters { AssemblyResolver = resolver, InMemory = true });
    }

    /// <summary>The service beside the tests.</summary>
    public static AssemblyMutant OfService() => new(Path.Combine(new WarpProcessOptions("").ServiceDirectory, "Warp.Http.dll"));

    public static AssemblyMutant Of(string assemblyPath) => new(assemblyPath);

    /// <summary>Replaces a part of a string literal, be it UTF-16 or <c>u8</c> (where a shorter text is padded with blanks).</summary>
    public AssemblyMutant ReplaceString(string typeName, string methodName, string from, string to) =>
        Edit($"a string with '{from}' in {typeName}.{methodName}", typeName, methodName, body =>
        {
            var hits = 0;
            foreach (var instruction in body.Instructions)
            {
                if (instruction is { OpCode.Code: Code.Ldstr, Operand: string text } && text.Contains(from, StringComparison.Ordinal))
                {
                    instruction.Operand = text.Replace(from, to, StringComparison.Ordinal);
                    hits++;
                }
                else if (instruction.Operand is FieldDefinition { InitialValue: { Length: > 0 } bytes } field
                    && Utf8Literal.Replace(bytes, from, to) is { } replaced)
                {
                    field.InitialValue = replaced;
                    hits++;
                }
            }

            return hits;
        });

    /// <summary>Replaces a whole number, which may be a constant or several that the compiler made one of.</summary>
    public AssemblyMutant ReplaceNumber(string typeName, string methodName, int from, int to) =>
        Edit($"a number {from} in {typeName}.{methodName}", typeName, methodName, body =>
        {
            var hits = body.Instructions.Where(instruction => instruction is { OpCode.Code: Code.Ldc_I4, Operand: int number } && number == from).ToList();
            foreach (var hit in hits) hit.Operand = to;
            return hits.Count;
        });

    /// <summary>Changes the last byte of an array that a method is given, each time it is called.</summary>
    public AssemblyMutant SpoilArgument(string typeName, string methodName, string parameterName)
    {
        var methods = Methods(typeName, methodName);
        foreach (var method in methods) IlEdits.IncrementLastByteOf(method, parameterName);
        return Hit(methods.Count, $"a body of {typeName}.{methodName}");
    }

    /// <summary>Leaves a call out: its arguments are evaluated and dropped, a default (a completed task) stands for its result.</summary>
    public AssemblyMutant RemoveCall(string typeName, string methodName, string calledMethodName) =>
        Edit($"a call of {calledMethodName} in {typeName}.{methodName}", typeName, methodName, body =>
        {
            var calls = body.CallsOf(calledMethodName);
            foreach (var call in calls) body.ReplaceByDefault(call);
            return calls.Count;
        });

    /// <summary>Empties a method: it returns a default or a bool, int, long or string, wrapped in a task where it is async.</summary>
    public AssemblyMutant MakeBodyReturn(string typeName, string methodName, object? result = null)
    {
        var methods = Methods(typeName, methodName);
        foreach (var method in methods) IlEdits.ReturnOnly(method, result);
        return Hit(methods.Count, $"a body of {typeName}.{methodName}");
    }

    /// <summary>Adds a call of a method of the same type at the start; its parameters get the caller's of the same name.</summary>
    public AssemblyMutant CallAtStart(string typeName, string methodName, string calledMethodName)
    {
        var methods = Methods(typeName, methodName);
        foreach (var method in methods) IlEdits.CallAtStart(method, calledMethodName);
        return Hit(methods.Count, $"a body of {typeName}.{methodName}");
    }

    /// <summary>Moves a call, with the evaluation of its arguments, to the start of the method.</summary>
    public AssemblyMutant MoveCallToStart(string typeName, string methodName, string calledMethodName) =>
        Edit($"a call of {calledMethodName} in {typeName}.{methodName}", typeName, methodName,
            body => body.MoveCall(calledMethodName, body.Instructions[0]));

    /// <summary>Moves a call, with the evaluation of its arguments, in front of another one in the same body.</summary>
    public AssemblyMutant MoveCallBefore(string typeName, string methodName, string movedMethodName, string otherMethodName) =>
        Edit($"a call of {movedMethodName} after {otherMethodName} in {typeName}.{methodName}", typeName, methodName,
            body => body.CallsOf(otherMethodName) is [var other, ..] ? body.MoveCall(movedMethodName, body.StartOf(other)) : 0);

    /// <summary>Waits before a call, so that the window in which a defect shows is wide enough to be hit soon.</summary>
    public AssemblyMutant SleepBefore(string typeName, string methodName, string calledMethodName, TimeSpan pause) =>
        Edit($"a call of {calledMethodName} in {typeName}.{methodName}", typeName, methodName, body =>
        {
            var calls = body.CallsOf(calledMethodName);
            foreach (var call in calls) body.InsertSleep(call, (int)pause.TotalMilliseconds);
            return calls.Count;
        });

    /// <summary>Turns round the condition that judges what a method or field of this name gave.</summary>
    public AssemblyMutant NegateCondition(string typeName, string methodName, string judgedName) =>
        Edit($"a condition on {judgedName} in {typeName}.{methodName}", typeName, methodName, body => body.NegateConditionsOn(judgedName));

    /// <summary>What a method of this name gives is off by so much, a long: a boundary that is judged by it lies beside its place.</summary>
    public AssemblyMutant OffBy(string typeName, string methodName, string calledMethodName, long difference) =>
        Edit($"a call of {calledMethodName} in {typeName}.{methodName}", typeName, methodName, body =>
        {
            var calls = body.CallsOf(calledMethodName);
            foreach (var call in calls) body.AddAfter(call, difference);
            return calls.Count;
        });

    /// <summary>The last argument of a call or of a constructor, a number, has the opposite sign: what is ordered by it stands the other way round.</summary>
    public AssemblyMutant NegateLastArgument(string typeName, string methodName, string calledMethodName) =>
        Edit($"a call of {calledMethodName} in {typeName}.{methodName}", typeName, methodName, body => body.NegateLastArgumentsOf(calledMethodName));

    /// <summary>Writes the mutant beside copies of everything the original was built with.</summary>
    /// <returns>The directory, to be given to <see cref="WarpProcessOptions.ServiceDirectory"/>.</returns>
    public string WriteTo(TempDirectory target)
    {
        var rewritten = Path.GetFileName(_assembly.MainModule.FileName);
        var stale = Path.ChangeExtension(rewritten, ".pdb"); // its offsets are the original's
        foreach (var directory in Directory.EnumerateDirectories(_directory))
            Directory.CreateSymbolicLink(target.File(Path.GetFileName(directory)), directory);
        foreach (var file in Directory.EnumerateFiles(_directory))
        {
            var name = Path.GetFileName(file);
            // Links, because the tests' output is some 50 MB and the runtime follows them.
            if (name != rewritten && name != stale) File.CreateSymbolicLink(target.File(name), file);
        }

        _assembly.Write(target.File(rewritten));
        return target.Path;
    }

    public void Dispose() => _assembly.Dispose();

    private AssemblyMutant Edit(string what, string typeName, string methodName, Func<MethodBody, int> edit)
    {
        var hits = 0;
        foreach (var body in BodiesOf(typeName, methodName))
        {
            body.SimplifyMacros(); // short branches would no longer reach over what is added
            hits += edit(body);
            body.OptimizeMacros();
        }

        return Hit(hits, what);
    }

    private AssemblyMutant Hit(int hits, string what) =>
        hits > 0 ? this : throw EqualToTheOriginal($"not {what}");

    private InvalidOperationException EqualToTheOriginal(string why) =>
        new($"The mutant would equal the original: {_assembly.Name.Name} has {why}.");

    private IEnumerable<TypeDefinition> Types(string typeName) => typeName == "*"
        ? _assembly.MainModule.GetTypes()
        : [_assembly.MainModule.GetType(typeName)
            ?? throw EqualToTheOriginal($"no type {typeName}")];

    private List<MethodDefinition> Methods(string typeName, string methodName) => Types(typeName)
        .SelectMany(type => type.Methods).Where(method => method.HasBody && method.Name == methodName).ToList();

    private List<MethodBody> BodiesOf(string typeName, string methodName) =>
        Types(typeName).SelectMany(WithCompilerMade).Distinct().SelectMany(type => type.Methods)
            .Where(method => method.HasBody && (methodName == "*" || IsMadeFrom(method, methodName)))
            .Select(method => method.Body).ToList();

    private static IEnumerable<TypeDefinition> WithCompilerMade(TypeDefinition type) =>
        type.NestedTypes.Where(nested => nested.Name.StartsWith('<')).SelectMany(WithCompilerMade).Prepend(type);

    // `Commit` itself, `<Commit>b__0` and `<Commit>g__Local|1_0` (lambdas, local functions), all of `<Commit>d__3` (state machine).
    private static bool IsMadeFrom(MethodDefinition method, string name)
    {
        var made = $"<{name}>";
        return method.Name == name
            || method.Name.StartsWith(made, StringComparison.Ordinal)
            || method.DeclaringType.Name.StartsWith(made, StringComparison.Ordinal);
    }
}
