using System.Globalization;

namespace Warp.Http.Tests.Storage;

/// <summary>What one run of a randomised or long test is told from outside.</summary>
internal static class TestRun
{
    /// <summary>Printed, and taken back through <c>WARP_TEST_SEED</c>.</summary>
    public static Random Random()
    {
        var seed = Number("WARP_TEST_SEED") ?? (int)(System.Random.Shared.NextInt64() & 0x3fff_ffff);
        TestContext.Current.TestOutputHelper?.WriteLine($"WARP_TEST_SEED={seed}");
        return new Random(seed);
    }

    /// <summary>How many rounds: <paramref name="normal"/>, or what the environment says.</summary>
    public static int Rounds(string variable, int normal) => Number(variable) ?? normal;

    private static int? Number(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;
}
