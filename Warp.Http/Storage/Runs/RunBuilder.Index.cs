using Warp.Http.Events;

namespace Warp.Http.Storage;

internal sealed partial class RunBuilder
{
    private readonly List<(long Id, long Entity)> _tags = [];
    private BloomFilter? _filter;
    private long _names;
    private long _states;
    private long _lastTagId = long.MinValue;
    private bool _hasTags;
    private long _displacedTags;
    private long _lastStateId;

    /// <summary>Adds a name by which its entity is found; entities in ascending order.</summary>
    public void AddName(long entity, NameTag tag, ReadOnlySpan<byte> name)
    {
        AddName(entity, name);
        _tags.Add(((long)tag.High, entity));
    }

    /// <summary>The same where tags come by <see cref="AddTag"/>, in an order of their own.</summary>
    public void AddName(long entity, ReadOnlySpan<byte> name)
    {
        _insertName.Bind(1, entity).Bind(2, name).Run();
        _names++;
        SyncNowAndThen(name.Length);
    }

    /// <summary>Before the first <see cref="AddTag"/>: so many come at most.</summary>
    public void ExpectTags(long count) => _filter = new BloomFilter(count);

    /// <summary>
    /// Adds a name's tag, in ascending order of its signed high half, which is its row's id: so the table needs no index and no sorting. Where that
    /// id is taken, the next free one follows.
    /// </summary>
    public void AddTag(long high, long entity)
    {
        _filter!.Add((ulong)high);
        var id = high;
        if (_hasTags && id <= _lastTagId)
        {
            id = checked(_lastTagId + 1);
            _displacedTags++;
        }

        _insertTag.Bind(1, id).Bind(2, entity).Run();
        _hasTags = true;
        _lastTagId = id;
    }

    /// <summary>Adds a stored state; entities come in ascending order, the states of one in any.</summary>
    public void AddState(long entity, ReadOnlySpan<byte> body)
    {
        var id = RunReader.FirstStateId(entity);
        if (_lastStateId >= id) id = _lastStateId + 1;
        if (id > RunReader.LastStateId(entity)) return; // a state saves time and nothing else
        _insertState.Bind(1, id).Bind(2, body).Run();
        _lastStateId = id;
        _states++;
        SyncNowAndThen(body.Length);
    }

    private BloomFilter FinishTags()
    {
        if (_filter is not null) return _filter;
        ExpectTags(_tags.Count);
        _tags.Sort();
        foreach (var (high, entity) in _tags) AddTag(high, entity);
        return _filter!;
    }
}
