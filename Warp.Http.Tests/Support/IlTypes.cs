using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Warp.Http.Tests.Support;

/// <summary>What instructions do to the evaluation stack (ECMA-335, partition III).</summary>
internal static class IlTypes
{
    /// <summary>Branches by their opposite; floating point is left aside, where "not less" is more than "greater or equal".</summary>
    public static readonly IReadOnlyDictionary<Code, OpCode> Opposite = new Dictionary<Code, OpCode>
    {
        [Code.Brtrue] = OpCodes.Brfalse,
        [Code.Brfalse] = OpCodes.Brtrue,
        [Code.Beq] = OpCodes.Bne_Un,
        [Code.Bne_Un] = OpCodes.Beq,
        [Code.Blt] = OpCodes.Bge,
        [Code.Bge] = OpCodes.Blt,
        [Code.Bgt] = OpCodes.Ble,
        [Code.Ble] = OpCodes.Bgt,
        [Code.Blt_Un] = OpCodes.Bge_Un,
        [Code.Bge_Un] = OpCodes.Blt_Un,
        [Code.Bgt_Un] = OpCodes.Ble_Un,
        [Code.Ble_Un] = OpCodes.Bgt_Un,
    };

    public static bool IsVoid(TypeReference type) => type.MetadataType == MetadataType.Void;

    public static int Pops(Instruction instruction)
    {
        if (instruction.Operand is MethodReference called && instruction.OpCode.FlowControl == FlowControl.Call)
            return called.Parameters.Count + (called.HasThis && instruction.OpCode.Code != Code.Newobj ? 1 : 0);
        return instruction.OpCode.StackBehaviourPop switch
        {
            StackBehaviour.Pop0 => 0,
            StackBehaviour.Pop1 or StackBehaviour.Popi or StackBehaviour.Popref => 1,
            StackBehaviour.Pop1_pop1 or StackBehaviour.Popi_pop1 or StackBehaviour.Popi_popi or StackBehaviour.Popi_popi8
                or StackBehaviour.Popi_popr4 or StackBehaviour.Popi_popr8 or StackBehaviour.Popref_pop1 or StackBehaviour.Popref_popi => 2,
            StackBehaviour.Popi_popi_popi or StackBehaviour.Popref_popi_popi or StackBehaviour.Popref_popi_popi8
                or StackBehaviour.Popref_popi_popr4 or StackBehaviour.Popref_popi_popr8 or StackBehaviour.Popref_popi_popref => 3,
            _ => throw new InvalidOperationException($"The stack before {instruction} cannot be told."),
        };
    }

    public static int Pushes(Instruction instruction) => instruction.OpCode.StackBehaviourPush switch
    {
        StackBehaviour.Push0 => 0,
        StackBehaviour.Push1_push1 => 2,
        StackBehaviour.Varpush => instruction.Operand is MethodReference called && !IsVoid(called.ReturnType) ? 1 : 0,
        _ => 1,
    };

    /// <summary>What a call gives, with the type arguments of the call and of its type put in.</summary>
    public static TypeReference ReturnTypeOf(MethodReference called) => Close(called.ReturnType, called);

    private static TypeReference Close(TypeReference type, MethodReference called)
    {
        switch (type)
        {
            case GenericParameter { Type: GenericParameterType.Method } parameter when called is GenericInstanceMethod method:
                return method.GenericArguments[parameter.Position];
            case GenericParameter { Type: GenericParameterType.Type } parameter when called.DeclaringType is GenericInstanceType declaring:
                return declaring.GenericArguments[parameter.Position];
            case GenericInstanceType open:
                var closed = new GenericInstanceType(open.ElementType);
                foreach (var argument in open.GenericArguments) closed.GenericArguments.Add(Close(argument, called));
                return closed;
            case ByReferenceType:
                throw new InvalidOperationException($"{called.FullName} returns a reference, for which there is no default.");
            default:
                return type;
        }
    }
}
