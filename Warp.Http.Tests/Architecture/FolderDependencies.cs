using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Warp.Http.Tests.Architecture;

/// <summary>One type of the assembly that uses another one of another folder.</summary>
internal sealed record Dependency(string FromFolder, string FromType, string ToFolder, string ToType)
{
    public override string ToString() => $"{Named(FromFolder)} uses {Named(ToFolder)}: {FromType} uses {ToType}";

    private static string Named(string folder) => folder.Length == 0 ? "the root" : folder;
}

/// <summary>
/// Who uses whom between the folders of an assembly, read from its metadata and code: bases, interfaces, members, locals, calls,
/// attributes, type arguments. A folder is the namespace after the root, so <c>Warp.Http.Storage.Runs</c> belongs to <c>Storage</c>;
/// the root itself, where <c>Program</c> composes everything, is the empty folder.
/// </summary>
internal sealed class FolderDependencies(ModuleDefinition module, string rootNamespace)
{
    private readonly HashSet<Dependency> _found = [];
    private readonly HashSet<(string User, GenericParameter Parameter)> _parametersSeen = [];

    public static IReadOnlyCollection<Dependency> Of(ModuleDefinition module, string rootNamespace)
    {
        var reader = new FolderDependencies(module, rootNamespace);
        foreach (var type in module.GetTypes()) reader.Read(type);
        return reader._found;
    }

    public static IEnumerable<string> Folders(ModuleDefinition module, string rootNamespace)
    {
        var reader = new FolderDependencies(module, rootNamespace);
        return module.Types.Select(reader.FolderOf).OfType<string>().Distinct(StringComparer.Ordinal);
    }

    // Null for what is nobody's: the compiler's helpers and source generators have namespaces of their own.
    private string? FolderOf(TypeReference type)
    {
        while (type.DeclaringType is not null) type = type.DeclaringType;
        if (type.Namespace == rootNamespace || (type.Namespace.Length == 0 && type.Name == "Program")) return "";
        return type.Namespace.StartsWith($"{rootNamespace}.", StringComparison.Ordinal)
            ? type.Namespace[(rootNamespace.Length + 1)..].Split('.')[0]
            : null;
    }

    private void Read(TypeDefinition type)
    {
        if (FolderOf(type) is null) return;
        Use(type, type.BaseType);
        foreach (var implemented in type.Interfaces) Use(type, implemented.InterfaceType);
        foreach (var parameter in type.GenericParameters) Use(type, parameter);
        UseAttributes(type, type);
        foreach (var field in type.Fields)
        {
            Use(type, field.FieldType);
            UseAttributes(type, field);
        }

        foreach (var property in type.Properties) UseAttributes(type, property);
        foreach (var method in type.Methods) Read(type, method);
    }

    private void Read(TypeDefinition type, MethodDefinition method)
    {
        UseSignature(type, method);
        UseAttributes(type, method);
        foreach (var parameter in method.Parameters) UseAttributes(type, parameter);
        foreach (var parameter in method.GenericParameters) Use(type, parameter);
        if (!method.HasBody) return;
        foreach (var local in method.Body.Variables) Use(type, local.VariableType);
        foreach (var handler in method.Body.ExceptionHandlers) Use(type, handler.CatchType);
        foreach (var instruction in method.Body.Instructions) UseOperand(type, instruction);
    }

    private void UseOperand(TypeDefinition type, Instruction instruction)
    {
        switch (instruction.Operand)
        {
            case TypeReference used:
                Use(type, used);
                break;
            case MethodReference called:
                Use(type, called.DeclaringType);
                UseSignature(type, called);
                if (called is GenericInstanceMethod generic) foreach (var argument in generic.GenericArguments) Use(type, argument);
                break;
            case FieldReference field:
                Use(type, field.DeclaringType);
                Use(type, field.FieldType);
                break;
        }
    }

    private void UseSignature(TypeDefinition type, MethodReference method)
    {
        Use(type, method.ReturnType);
        foreach (var parameter in method.Parameters) Use(type, parameter.ParameterType);
    }

    private void UseAttributes(TypeDefinition type, ICustomAttributeProvider provider)
    {
        foreach (var attribute in provider.CustomAttributes)
        {
            Use(type, attribute.AttributeType);
            foreach (var argument in attribute.ConstructorArguments.Concat(attribute.Properties.Select(property => property.Argument)))
                if (argument.Value is TypeReference named) Use(type, named);
        }
    }

    private void Use(TypeDefinition from, TypeReference? used)
    {
        switch (used)
        {
            case null:
                return;
            case GenericParameter parameter:
                // A constraint may name its own parameter, as in where T : IMailed<T>.
                if (!_parametersSeen.Add((from.FullName, parameter))) return;
                foreach (var constraint in parameter.Constraints) Use(from, constraint.ConstraintType);
                return;
            case GenericInstanceType generic:
                foreach (var argument in generic.GenericArguments) Use(from, argument);
                Use(from, generic.ElementType);
                return;
            case FunctionPointerType pointer:
                Use(from, pointer.ReturnType);
                foreach (var parameter in pointer.Parameters) Use(from, parameter.ParameterType);
                return;
            case TypeSpecification wrapped: // arrays, references, pointers, modifiers
                Use(from, wrapped.ElementType);
                return;
        }

        // The same name may live in a package of ours; only this assembly has folders.
        if (used.Scope != module || FolderOf(used) is not { } to || FolderOf(from) is not { } folder || folder == to) return;
        _found.Add(new Dependency(folder, from.FullName, to, used.FullName));
    }
}
