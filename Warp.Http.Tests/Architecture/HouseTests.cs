using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Warp.Http.Tests.Architecture;

/// <summary>The order of the house: a folder uses only folders before it.</summary>
public sealed class HouseTests
{
    private const string Root = "Warp.Http";

    private static readonly string[] Order =
    [
        "Events", "Storage", "Aggregates", "Entities", "Subscriptions", "Sagas", "Projections", "Backup", "Erasure", "Security",
        "Endpoints",
        "", // the composition root, which nobody uses
    ];

    [Fact]
    public void A_folder_uses_only_folders_before_it()
    {
        using var service = ModuleDefinition.ReadModule(typeof(Program).Assembly.Location);

        Backward(service, Order).ShouldBeEmpty();
    }

    [Fact]
    public void Every_folder_has_its_place_in_the_order()
    {
        using var service = ModuleDefinition.ReadModule(typeof(Program).Assembly.Location);

        FolderDependencies.Folders(service, Root).Except(Order, StringComparer.Ordinal).ShouldBeEmpty("ARCHITECTURE.md decides its place");
    }

    [Fact]
    public void Folders_are_free_of_cycles()
    {
        using var service = ModuleDefinition.ReadModule(typeof(Program).Assembly.Location);

        Cycle(FolderDependencies.Of(service, Root)).ShouldBeNull();
    }

    [Fact]
    public void An_arrow_the_other_way_is_found_and_names_the_types()
    {
        using var house = Sample(
            ("Warp.Http.Storage", "Writer", "Warp.Http.Entities", "Actor"),
            ("Warp.Http.Entities", "Registry", "Warp.Http.Storage", "View"));

        Backward(house, Order).ShouldBe(["Storage uses Entities: Warp.Http.Storage.Writer uses Warp.Http.Entities.Actor"]);
    }

    [Fact]
    public void Nobody_may_use_the_root_and_the_root_may_use_everybody()
    {
        using var house = Sample(
            ("Warp.Http", "Composition", "Warp.Http.Storage", "View"),
            ("Warp.Http.Endpoints", "Events", "Warp.Http", "Composition"));

        Backward(house, Order).ShouldBe(["Endpoints uses the root: Warp.Http.Endpoints.Events uses Warp.Http.Composition"]);
    }

    [Fact]
    public void A_cycle_is_found_and_names_the_types()
    {
        using var house = Sample(
            ("Warp.Http.Sagas", "Runner", "Warp.Http.Backup", "Copy"),
            ("Warp.Http.Backup", "Copy", "Warp.Http.Erasure.Ledgers", "Ledger"),
            ("Warp.Http.Erasure", "Fence", "Warp.Http.Sagas", "Runner"));

        var cycle = Cycle(FolderDependencies.Of(house, Root)).ShouldNotBeNull();
        cycle.ShouldContain("Warp.Http.Sagas.Runner uses Warp.Http.Backup.Copy");
        cycle.ShouldContain("Warp.Http.Backup.Copy uses Warp.Http.Erasure.Ledgers.Ledger");
        cycle.ShouldContain("Warp.Http.Erasure.Fence uses Warp.Http.Sagas.Runner");
    }

    [Fact]
    public void A_compiled_assembly_in_the_wrong_order_is_found()
    {
        using var tests = ModuleDefinition.ReadModule(typeof(HouseTests).Assembly.Location);

        // This assembly stands for the service: Recovery builds on Support, so Support after Recovery is the wrong order.
        Backward(tests, ["Recovery", "Support", "Architecture", ""], "Warp.Http.Tests").ShouldNotBeEmpty();
        Backward(tests, ["Support", "Recovery"], "Warp.Http.Tests").ShouldBeEmpty();
    }

    private static List<string> Backward(ModuleDefinition module, string[] order, string root = Root) =>
        FolderDependencies.Of(module, root)
            .Where(use => order.Contains(use.FromFolder, StringComparer.Ordinal))
            .Where(use => Array.IndexOf(order, use.ToFolder) > Array.IndexOf(order, use.FromFolder))
            .Select(use => use.ToString()).Order(StringComparer.Ordinal).ToList();

    private static string? Cycle(IReadOnlyCollection<Dependency> dependencies)
    {
        var path = new List<Dependency>();
        var finished = new HashSet<string>(StringComparer.Ordinal);
        return dependencies.Select(use => Walk(use.FromFolder)).FirstOrDefault(cycle => cycle is not null);

        string? Walk(string folder)
        {
            var begin = path.FindIndex(step => step.FromFolder == folder);
            if (begin >= 0) return string.Join("; ", path.Skip(begin));
            if (!finished.Add(folder)) return null;
            foreach (var use in dependencies.Where(use => use.FromFolder == folder).DistinctBy(use => use.ToFolder, StringComparer.Ordinal))
            {
                path.Add(use);
                if (Walk(use.ToFolder) is { } cycle) return cycle;
                path.RemoveAt(path.Count - 1);
            }

            return null;
        }
    }

    /// <summary>An assembly of which each type has a method that holds the other type in a local.</summary>
    private static ModuleDefinition Sample(params (string Namespace, string Type, string UsedNamespace, string UsedType)[] uses)
    {
        var module = ModuleDefinition.CreateModule("house", ModuleKind.Dll);
        foreach (var (from, name, usedNamespace, usedName) in uses)
        {
            var used = Type(usedNamespace, usedName);
            var method = new MethodDefinition("Use", MethodAttributes.Public, module.TypeSystem.Void);
            method.Body.Variables.Add(new VariableDefinition(new ArrayType(used)));
            method.Body.GetILProcessor().Emit(OpCodes.Ret);
            Type(from, name).Methods.Add(method);
        }

        return module;

        TypeDefinition Type(string @namespace, string name)
        {
            if (module.GetType(@namespace, name) is { } known) return known;
            var type = new TypeDefinition(@namespace, name, TypeAttributes.Public | TypeAttributes.Class, module.TypeSystem.Object);
            module.Types.Add(type);
            return type;
        }
    }
}
