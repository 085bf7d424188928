using Microsoft.Extensions.Options;

namespace Warp.Http.Endpoints;

/// <summary>Refuses settings that do not exist: a limit that is misspelt would silently not hold.</summary>
internal sealed class KnownKeys<T>(IConfigurationSection section) : IValidateOptions<T>
    where T : class
{
    public ValidateOptionsResult Validate(string? name, T options)
    {
        var known = typeof(T).GetProperties().Select(p => p.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var unknown = section.GetChildren().Select(c => c.Key).Where(k => !known.Contains(k)).ToList();
        return unknown.Count == 0
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail($"{section.Path}: unknown {string.Join(", ", unknown)}; known are {string.Join(", ", known)}.");
    }
}
