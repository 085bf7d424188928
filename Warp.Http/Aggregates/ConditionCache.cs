using System.Collections.Concurrent;
using Warp.Http.Aggregates.Expressions;

namespace Warp.Http.Aggregates;

/// <summary>Compiled conditions by their text: an application sends the same few with every append.</summary>
/// <remarks>
/// Any thread. Two generations bound it: when the younger is full it becomes the older and what the older held is dropped, unless it
/// was asked for since. Races cost a compilation, nothing else.
/// </remarks>
public sealed class ConditionCache(int charsMax)
{
    /// <summary>Texts in one generation; at 4,096 characters each, two generations take about 6 MB at worst.</summary>
    private const int GenerationMax = 256;

    private volatile ConcurrentDictionary<string, Condition> _young = new(StringComparer.Ordinal);
    private volatile ConcurrentDictionary<string, Condition> _old = new(StringComparer.Ordinal);

    /// <inheritdoc cref="Condition.TryCompile"/>
    public bool TryGet(string text, out Condition? condition, out ExpressionError? error)
    {
        error = null;
        var young = _young;
        if (young.TryGetValue(text, out condition)) return true;
        if (!_old.TryGetValue(text, out condition) && !Condition.TryCompile(text, charsMax, out condition, out error)) return false;
        if (young.Count >= GenerationMax)
        {
            _old = young;
            _young = young = new ConcurrentDictionary<string, Condition>(StringComparer.Ordinal);
        }

        young[text] = condition!;
        return true;
    }
}
