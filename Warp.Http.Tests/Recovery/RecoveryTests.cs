namespace Warp.Http.Tests.Recovery;

/// <summary>Tests that load and kill processes have the machine to themselves: beside others they would only be slower.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class RecoveryTests
{
    public const string Name = "Recovery";

    /// <summary>The seed of a randomised run: printed, and taken back through <c>WARP_TEST_SEED</c>.</summary>
    internal static int Seed()
    {
        var seed = Number("WARP_TEST_SEED") ?? Random.Shared.Next(1_000_000_000);
        TestContext.Current.TestOutputHelper?.WriteLine($"WARP_TEST_SEED={seed}");
        return seed;
    }

    /// <summary>An acknowledged append is not there any more: silently, or because the service noticed and serves nothing.</summary>
    internal static bool IsLoss(string violation) =>
        violation.EndsWith("is lost", StringComparison.Ordinal) || violation.StartsWith("The service keeps its data out of service", StringComparison.Ordinal);

    internal static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), out var number) ? number : null;
}
