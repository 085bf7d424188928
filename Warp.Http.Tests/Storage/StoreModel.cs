using System.Text.Json.Nodes;
using Warp.Http.Events;

namespace Warp.Http.Tests.Storage;

/// <summary>What a store must say, kept in plain lists.</summary>
internal sealed class StoreModel
{
    private readonly Dictionary<string, ModelEntity> _entities = new(StringComparer.Ordinal);
    private long _born;

    public IEnumerable<string> Alive => _entities.Where(e => e.Value.Events.Count > 0).OrderBy(e => e.Value.Born).Select(e => e.Key);

    public IEnumerable<string> All => _entities.Keys;

    public ModelEntity Get(string name)
    {
        if (!_entities.TryGetValue(name, out var entity)) _entities[name] = entity = new ModelEntity();
        return entity;
    }

    /// <summary>Takes what the store accepted; the seqs are checked by whoever judged it.</summary>
    public void Accept(TestAppend append, Life life)
    {
        var entity = Get(append.Entity);
        if (entity.Events.Count == 0)
        {
            entity.Born = _born++;
            entity.Life = life;
            entity.IsErased = false;
        }

        var firstSeq = entity.Events.Count + 1;
        for (var i = 0; i < append.Events.Length; i++)
        {
            var e = append.Events[i];
            var seq = firstSeq + i;
            var id = e.Id ?? (append.Key is { } key ? $"{key}:{i}" : life.EventId(seq));
            entity.Events.Add(
                new StoredEvent(seq, id, e.Type, e.Payload, e.Aggregate ?? "", e.SchemaVersion, e.Metadata ?? "", e.OccurredAt ?? "", 0));
        }

        entity.Appends.Add((append, firstSeq));
    }

    public void Erase(string name)
    {
        var entity = Get(name);
        entity.Events.Clear();
        entity.Appends.Clear();
        entity.IsErased = true;
    }

    internal sealed class ModelEntity
    {
        public long Born { get; set; }

        public Life Life { get; set; }

        public bool IsErased { get; set; }

        public List<StoredEvent> Events { get; } = [];

        public List<(TestAppend Append, int FirstSeq)> Appends { get; } = [];

        /// <summary>The default aggregate: its events' payloads merged in order (RFC 7396).</summary>
        public JsonNode? State()
        {
            JsonNode? state = new JsonObject();
            foreach (var e in Events.Where(e => e.Aggregate.Length == 0)) state = Merge(state, JsonNode.Parse(e.Payload));
            return state;
        }

        private static JsonNode? Merge(JsonNode? target, JsonNode? patch)
        {
            if (patch is not JsonObject members) return patch?.DeepClone();
            var merged = target as JsonObject ?? [];
            foreach (var (name, value) in members)
            {
                if (value is null) merged.Remove(name);
                else merged[name] = Merge(merged[name]?.DeepClone(), value);
            }

            return merged;
        }
    }
}
