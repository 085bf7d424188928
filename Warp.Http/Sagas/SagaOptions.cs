using System.ComponentModel.DataAnnotations;

namespace Warp.Http.Sagas;

/// <summary>How many sagas run at once, and how long each may try (<c>Warp:Sagas</c>).</summary>
public sealed class SagaOptions
{
    public const string Section = "Warp:Sagas";

    /// <summary>Sagas that run at once; one more is refused with 429. Each keeps its steps in memory.</summary>
    [Range(1, 1_000_000)]
    public int InFlight { get; init; } = 1000;

    /// <summary>How long a saga goes on trying its actions if it doesn't say; then what is done is compensated.</summary>
    internal static TimeSpan TimeoutDefault => TimeSpan.FromSeconds(30);

    internal static TimeSpan TimeoutMin => TimeSpan.FromMilliseconds(100);

    internal static TimeSpan TimeoutMax => TimeSpan.FromHours(1);

    /// <summary>Characters of the note with which a person resolves a saga.</summary>
    internal const int NoteChars = 1024;

    /// <summary>How often it is looked whether the open sagas are to be written down, and tried again what a shard out of service did not take.</summary>
    internal static TimeSpan LookEvery => TimeSpan.FromSeconds(5);
}
