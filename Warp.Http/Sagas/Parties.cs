using System.Text.Json;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Sagas;

/// <summary>
/// The parties of sagas and what is kept of each: a companion entity, one for each life, holds every step on it with its payloads. A saga's own
/// log refers to it, so that erasing a party and its companion takes all that any saga knew of it, and nothing of anybody else's.
/// </summary>
internal sealed class Parties(EntityRegistry registry, Store store, SagaAppends appends, Deadline never)
{
    /// <summary>Where the steps on one entity are kept: those from before it was there, and those on its life.</summary>
    public const int CompanionsMax = 2;

    private const int PageBytes = 1 << 20;

    private static ReadOnlySpan<byte> StepType => "Step"u8;

    private static ReadOnlySpan<byte> DetailType => "Detail"u8;

    /// <summary>Binds a step to the life that its party has now.</summary>
    public async ValueTask<PartyRef> BindAsync(ReadOnlyMemory<byte> name, CancellationToken cancellation)
    {
        var (shard, tag) = (store.ShardOf(name.Span).Index, store.TagOf(name.Span));
        var found = registry.TryGetLive(name.Span, out var live)
            ? new FoundEntity(EntityPresence.Alive, live)
            : await registry.FindAsync(name, cancellation);
        if (found.Presence == EntityPresence.Unknown) return new PartyRef(tag, shard, LifeBinding.First, 0);
        var life = found.Actor?.Life ?? default;
        // Default where it is erased, be it since it was found.
        return new PartyRef(tag, shard, life.IsNone ? default : LifeBinding.To(life.Number), 0);
    }

    /// <summary>True if the life that the step is bound to was erased, or there was none.</summary>
    public bool IsErased(in PartyRef party)
    {
        if (party.WasErased) return true;
        return FindErasure(party) is { } erasure && (party.Bound.IsFirst || erasure.Entity >= party.Bound.Number);
    }

    /// <summary>The party's last erasure, found by its tag: a saga does not keep the name.</summary>
    public Tombstone? FindErasure(in PartyRef party) => store.AllShards[party.Shard].Tombstones.TryFind(party.Tag, out var erasure) ? erasure : null;

    /// <summary>An append of the step to the companion; its first seq becomes the reference.</summary>
    public static AppendCommand Keep(in PartyRef party, SagaStep step, string sagaId, int number)
    {
        using var json = JsonBuffer.Rent();
        step.Write(json, sagaId, number);
        return Companion(party, StepType, json);
    }

    /// <summary>Keeps what a fold said of a step, which may hold something of a payload. Answers where, 0 if the party is erased.</summary>
    public async ValueTask<long> KeepDetailAsync(PartyRef party, AppendOutcome refusal)
    {
        if (refusal.Reason is not FoldFailure) return 0;
        var outcome = await appends.SendAsync(Detail(party, refusal));
        if (SagaAppends.IsPassing(outcome.Status))
            outcome = await appends.RetryAsync(outcome, (Appends: appends, party, refusal), static of => of.Appends.SendAsync(Detail(of.party, of.refusal)), never);
        return outcome.Status == AppendStatus.Erased ? 0 : outcome.FirstSeq;
    }

    /// <summary>Reads what each step does, and the details of refusals, as far as their parties are not erased.</summary>
    public async ValueTask LoadAsync(SagaState saga, CancellationToken cancellation)
    {
        foreach (var step in saga.Steps)
        {
            if (IsErased(step.Party)) continue;
            step.Content ??= await ReadAsync(step.Party, step.Party.At, static stored => SagaStep.Read(stored, out _, out _), cancellation);
            if (step.DetailAt == 0 || step.Refusal is not { Reason: FoldFailure failure } refusal) continue;
            var detail = await ReadAsync(step.Party, step.DetailAt, static stored => ReadDetail(stored), cancellation);
            if (detail is not null) step.Refusal = refusal with { Reason = failure with { Expression = detail.Expression, Message = detail.Message } };
        }
    }

    /// <summary>Where the steps on an entity are kept that is not erased: those from before it was there, and those on its life.</summary>
    public async ValueTask<PartyRef[]> CompanionsOfAsync(ReadOnlyMemory<byte> entity, CancellationToken cancellation)
    {
        var party = await BindAsync(entity, cancellation);
        if (party.WasErased) return [];
        var first = party with { Bound = LifeBinding.First };
        return party.Bound.IsFirst ? [first] : [first, party];
    }

    /// <summary>The sagas in which a life of a party took part, in the order in which they began: their ids and the steps, from a companion's seq on.</summary>
    public async ValueTask<List<KeptStep>> ListAsync(PartyRef party, long after, int max, CancellationToken cancellation)
    {
        var kept = new List<KeptStep>();
        var found = await registry.FindAsync(party.Companion, cancellation);
        if (found.Actor is not { } actor) return kept;
        for (var from = after + 1; from > 0 && kept.Count < max;)
        {
            using var page = await actor.ReadAsync(from, long.MaxValue, descending: false, max, PageBytes, cancellation);
            for (var i = 0; i < page.Count && kept.Count < max; i++)
            {
                var e = page.GetEvent(i);
                if (!e.Fields.Type.SequenceEqual(StepType)) continue;
                var step = SagaStep.Read(e.Fields.Payload.ToArray(), out var sagaId, out var number);
                kept.Add(new KeptStep(e.Seq, sagaId, number, step));
            }

            from = page.NextSeq;
        }

        return kept;
    }

    private async ValueTask<T?> ReadAsync<T>(PartyRef party, long seq, Func<ReadOnlyMemory<byte>, T> read, CancellationToken cancellation)
        where T : class
    {
        var found = await registry.FindAsync(party.Companion, cancellation);
        if (found.Actor is { } actor)
        {
            using var page = await actor.ReadAsync(seq, seq, descending: false, 1, PageBytes, cancellation);
            if (page.Count > 0) return read(page.GetEvent(0).Fields.Payload.ToArray());
        }

        if (found.Presence == EntityPresence.Unknown && !IsErased(party)) throw new InvalidDataException("What a saga's step does is nowhere, and its party is not erased.");
        return null;
    }

    private static AppendCommand Detail(in PartyRef party, in AppendOutcome refusal)
    {
        var failure = (FoldFailure)refusal.Reason!;
        using var json = JsonBuffer.Rent();
        json.Raw("{\"expression\":"u8);
        if (failure.Expression is null) json.Raw("null"u8);
        else json.Text(failure.Expression);
        json.Raw(",\"message\":"u8);
        json.Text(failure.Message);
        json.Raw((byte)'}');
        return Companion(party, DetailType, json);
    }

    private static FoldFailure ReadDetail(ReadOnlyMemory<byte> stored)
    {
        using var document = JsonDocument.Parse(stored);
        return new FoldFailure(0, document.RootElement.GetProperty("expression"u8).GetString(), 0, 0, document.RootElement.GetProperty("message"u8).GetString()!);
    }

    private static AppendCommand Companion(in PartyRef party, ReadOnlySpan<byte> type, JsonBuffer payload)
    {
        var command = AppendCommand.Rent();
        command.SetEntity(party.Companion);
        command.Events.Add(new EventFields { Type = type, SchemaVersion = 1, Payload = payload.Written });
        command.Events.Seal();
        return command;
    }
}

/// <summary>A step as a companion keeps it.</summary>
/// <param name="Seq">The companion's.</param>
/// <param name="Number">Which step of its saga.</param>
internal sealed record KeptStep(long Seq, string SagaId, int Number, SagaStep Step);
