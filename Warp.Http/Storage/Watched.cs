using System.Runtime.CompilerServices;

namespace Warp.Http.Storage;

/// <summary>What gauges look at, and hold no longer than others do: an instrument can't be taken off its meter. Any thread.</summary>
internal sealed class Watched<T>
    where T : class
{
    private readonly ConditionalWeakTable<T, object> _all = [];

    public void Add(T one) => _all.Add(one, one);

    public long Sum(Func<T, long> of)
    {
        long sum = 0;
        foreach (var (one, _) in _all) sum += of(one);
        return sum;
    }
}
