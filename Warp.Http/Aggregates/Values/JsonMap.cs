using System.Diagnostics;

namespace Warp.Http.Aggregates.Values;

/// <summary>Members in the order they came, found by linear search while few, by a hash index when many.</summary>
/// <remarks>
/// A map may be changed only by who holds the object it was made or <see cref="Own">owned</see> with, and only while no one else can
/// have seen it. A folded state changes its maps in place this way; taking a new owner object freezes all of them at once, for
/// nothing, and each is copied when it is next changed.
/// </remarks>
public sealed partial class JsonMap
{
    private const int HeaderBytes = 96;
    private const int MemberBytes = 56;

    private readonly object? _owner;
    private Member[] _members;
    private int _used; // members in the array, removed ones of an indexed map included
    private int _removed;
    private int _depth; // 0 = to be found out: a member that may have been the deepest is shallower now, or gone

    public JsonMap(object? owner = null, int capacity = 4)
    {
        _owner = owner;
        _members = capacity == 0 ? [] : new Member[capacity];
        Weight = HeaderBytes;
        _depth = 1;
    }

    private JsonMap(object owner, JsonMap original)
    {
        _owner = owner;
        _members = new Member[Math.Max(4, original.Count)];
        Weight = original.Weight;
        NameBytes = original.NameBytes;
        _depth = original._depth;
        foreach (ref readonly var member in original) _members[_used++] = member;
        if (owner is MapOwner counted) counted.Copied += _used;
        if (_used > IndexedFrom) Reindex();
    }

    public static JsonMap Empty { get; } = new(capacity: 0);

    public int Count => _used - _removed;

    /// <inheritdoc cref="JsonValue.Weight"/>
    public long Weight { get; private set; }

    /// <summary>Bytes of all names, which are hashed anew when a map is copied. The same however the map came about, as what it costs must be.</summary>
    public int NameBytes { get; private set; }

    /// <summary>Levels of lists and maps, this one included.</summary>
    /// <remarks>
    /// Exact, however the map came about: a bound on it must refuse the same event whether a fold began at the first one or at a stored state.
    /// Several threads may find it out at once; they find the same.
    /// </remarks>
    public int Depth => _depth > 0 ? _depth : _depth = FindDepth();

    /// <summary><see cref="Depth"/> if it is known without looking at the members, else -1.</summary>
    internal int KnownDepth => _depth > 0 ? _depth : -1;

    /// <summary>This map if it already is <paramref name="owner"/>'s to change, else a copy that is.</summary>
    public JsonMap Own(object owner) => ReferenceEquals(_owner, owner) ? this : new JsonMap(owner, this);

    /// <summary>The member's value; <see cref="JsonKind.Missing"/> if there is none.</summary>
    public JsonValue Get(ReadOnlySpan<byte> name)
    {
        var at = IndexOf(name);
        return at < 0 ? default : _members[at].Value;
    }

    /// <inheritdoc cref="Get(ReadOnlySpan{byte})"/>
    /// <remarks>Names of a definition are one array wherever they are used, so the reference nearly always decides.</remarks>
    public JsonValue Get(byte[] name)
    {
        var members = _members;
        if (_index is null)
        {
            for (var i = 0; i < _used; i++)
                if (ReferenceEquals(members[i].Name, name)) return members[i].Value;
        }

        return Get(name.AsSpan());
    }

    /// <summary>Sets a member in place, where it stands or at the end. The array of the name is kept: never write into it.</summary>
    public void Set(byte[] name, in JsonValue value)
    {
        Debug.Assert(!value.IsMissing && !value.IsError, "A member has a value.");
        var at = IndexOf(name);
        if (at < 0) Add(name, value);
        else Replace(at, value);
    }

    /// <summary>Sets a member that came with its name as UTF-8; the name is copied only if it is new.</summary>
    public void Set(ReadOnlySpan<byte> name, in JsonValue value)
    {
        var at = IndexOf(name);
        if (at < 0) Add(name.ToArray(), value);
        else Replace(at, value);
    }

    public bool Remove(ReadOnlySpan<byte> name)
    {
        var at = IndexOf(name);
        if (at < 0) return false;
        DeepenOrForget(_members[at].Value.KnownDepth, 0);
        Weight -= MemberBytes + name.Length + _members[at].Value.Weight;
        NameBytes -= name.Length;
        if (_index is null)
        {
            _members.AsSpan(at + 1, _used - at - 1).CopyTo(_members.AsSpan(at));
            _members[--_used] = default;
        }
        else
        {
            // The name stays, so that probing for others still passes over it.
            _members[at].Value = default;
            _removed++;
        }

        return true;
    }

    /// <summary>Sets a member that is there to what became of its own map.</summary>
    /// <param name="growth">Bytes it is heavier by.</param>
    /// <param name="knownDepth">Its <see cref="KnownDepth"/> before.</param>
    internal void SetChanged(ReadOnlySpan<byte> name, in JsonValue changed, long growth, int knownDepth)
    {
        _members[IndexOf(name)].Value = changed;
        Weight += growth;
        DeepenOrForget(knownDepth, changed.KnownDepth);
    }

    public Enumerator GetEnumerator() => new(_members.AsSpan(0, _used));

    private void Add(byte[] name, in JsonValue value)
    {
        if (_used == _members.Length) Grow();
        _members[_used++] = new Member(name, value);
        NameBytes += name.Length;
        Weight += MemberBytes + name.Length + value.Weight;
        DeepenOrForget(0, value.KnownDepth);
        if (_index is not null) AddToIndex(_used - 1);
        else if (_used > IndexedFrom) Reindex();
    }

    private void Replace(int at, in JsonValue value)
    {
        ref var member = ref _members[at];
        Weight += value.Weight - member.Value.Weight;
        DeepenOrForget(member.Value.KnownDepth, value.KnownDepth);
        member.Value = value;
    }

    /// <summary>A member's depth changes; -1 stands for one that is not known.</summary>
    private void DeepenOrForget(int before, int after)
    {
        if (_depth == 0) return;
        if (after < 0) _depth = 0;
        else if (after + 1 >= _depth) _depth = after + 1;
        else if (before < 0 || before + 1 == _depth) _depth = 0;
    }

    private int FindDepth()
    {
        var deepest = 0;
        foreach (ref readonly var member in this) deepest = Math.Max(deepest, member.Value.Depth);
        return deepest + 1;
    }

    public struct Member(byte[] name, JsonValue value)
    {
        public readonly byte[] Name = name;
        public JsonValue Value = value;
    }

    /// <summary>Goes over the members that are there, by reference.</summary>
    public ref struct Enumerator(ReadOnlySpan<Member> members)
    {
        private readonly ReadOnlySpan<Member> _members = members;
        private int _at = -1;

        public readonly ref readonly Member Current => ref _members[_at];

        public bool MoveNext()
        {
            do _at++;
            while (_at < _members.Length && _members[_at].Value.IsMissing);
            return _at < _members.Length;
        }
    }
}
