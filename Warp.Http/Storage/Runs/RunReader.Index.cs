using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <content>Names, tags and stored states.</content>
internal sealed partial class RunReader
{
    /// <summary>States of one entity in one run: a row's id is the entity's number above 8 bits and a count below.</summary>
    public static long FirstStateId(long entity) => entity << 8;

    public static long EntityOfState(long id) => id >> 8;

    public static long LastStateId(long entity) => (entity << 8) | 0xff;

    /// <summary>The lowest and the highest number of an entity first seen here; the other way round if there is none.</summary>
    public (long First, long Last) ReadNamed()
    {
        using var first = _database.PrepareOnce("SELECT entity FROM names ORDER BY entity LIMIT 1");
        using var last = _database.PrepareOnce("SELECT entity FROM names ORDER BY entity DESC LIMIT 1");
        return first.Step() && last.Step() ? (first.Int64(0), last.Int64(0)) : (1, 0);
    }

    /// <summary>The newest number under which the name stands here; 0 if none.</summary>
    public long FindName(NameTag tag, ReadOnlySpan<byte> name)
    {
        var due = (long)tag.High;
        long found = 0;
        _tags.Bind(1, due);
        try
        {
            // From the tag's own place on without a gap: whoever found it taken stands behind.
            for (; _tags.Step() && _tags.Int64(0) == due; due++)
            {
                if (_tags.IsNull(2)) throw new DamagedDataException("A run has a tag without a name.");
                if (_tags.Blob(2).SequenceEqual(name)) found = Math.Max(found, _tags.Int64(1));
            }

            return found;
        }
        finally
        {
            _tags.Reset();
        }
    }

    /// <summary>The newest state of this aggregate and fingerprint that covers no more than <paramref name="seqMax"/>.</summary>
    public StoredState? FindState(long entity, ReadOnlySpan<byte> aggregate, ulong fingerprint, long seqMax)
    {
        _states.Bind(1, FirstStateId(entity)).Bind(2, LastStateId(entity));
        try
        {
            StoredState? found = null;
            while (_states.Step())
            {
                var body = StateBody.Read(_states.Blob(0));
                if (body.Fingerprint != fingerprint || body.Seq > seqMax || body.Seq <= (found?.Seq ?? 0) || !body.Aggregate.SequenceEqual(aggregate)) continue;
                found = new StoredState(body.Seq, body.LastMs, body.Flags, body.State.ToArray());
            }

            return found;
        }
        finally
        {
            _states.Reset();
        }
    }

    /// <summary>Null if the entity was not first seen here.</summary>
    public EntityName? NameOf(long entity)
    {
        _nameOf.Bind(1, entity);
        var name = _nameOf.Step() ? new EntityName(_nameOf.Blob(0)) : null;
        _nameOf.Reset();
        return name;
    }

    public bool HoldsName(long entity)
    {
        _nameOf.Bind(1, entity);
        var holds = _nameOf.Step();
        _nameOf.Reset();
        return holds;
    }

    /// <summary>A state may stand in a later run than the events that it covers.</summary>
    public bool HoldsState(long entity)
    {
        _states.Bind(1, FirstStateId(entity)).Bind(2, LastStateId(entity));
        var holds = _states.Step();
        _states.Reset();
        return holds;
    }

    /// <summary>Names with a number above <paramref name="after"/>, in ascending order.</summary>
    public void ListNames(long after, int limit, Action<long, EntityName> add)
    {
        _names.Bind(1, after).Bind(2, limit);
        while (_names.Step()) add(_names.Int64(0), new EntityName(_names.Blob(1)));
        _names.Reset();
    }
}
