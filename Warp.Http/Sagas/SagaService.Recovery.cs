namespace Warp.Http.Sagas;

/// <content>What a start finds, and what a stop leaves.</content>
public sealed partial class SagaService
{
    /// <summary>Logs that are read at once.</summary>
    private const int LogsAtOnce = 64;

    /// <summary>Goes on with every saga that has not ended, and erases what sagas keep of parties whose erasure was interrupted.</summary>
    internal async Task RecoverAsync(CancellationToken cancellation)
    {
        if (await Open.ReadAsync(cancellation))
        {
            await ResumeAsync(Open.Ids, cancellation);
            for (var shard = 0; shard < _store.Shards; shard++)
            {
                if (_store.AllShards[shard].Damage is not null) continue; // it takes no sagas, and keeps its place in what is written down
                await ResumeAsync(await Open.ScanAsync(shard, cancellation), cancellation);
            }

            Open.IsComplete();
        }

        await Erasure.ResumeAsync(cancellation);
    }

    /// <summary>Lets what runs come to its end for a moment, then stops what waits for better times. What is not done goes on after the next start.</summary>
    internal async Task StopAsync(TimeSpan patience)
    {
        var running = Task.WhenAll(_owned.Values.Select(open => open.Done));
        await Task.WhenAny(running, Task.Delay(patience, _time));
        await _stopping.CancelAsync();
        await Task.WhenAny(running, Task.Delay(patience, _time));
    }

    private Task ResumeAsync(IReadOnlyCollection<string> ids, CancellationToken cancellation) => Parallel.ForEachAsync(
        ids, new ParallelOptions { MaxDegreeOfParallelism = LogsAtOnce, CancellationToken = cancellation }, async (id, _) => await ResumeAsync(id));

    /// <summary>Goes on with a saga, unless somebody does already. Ends when it is known what the saga is: how long it takes depends on others.</summary>
    private Task ResumeAsync(string id)
    {
        var open = new OpenSaga(id);
        if (!_owned.TryAdd(id, open)) return Task.CompletedTask;
        Interlocked.Increment(ref _inFlight); // it was accepted before; the bound is for new ones
        _ = OwnAsync(open, async () =>
        {
            if (await Log.ReadAsync(id, _stopping.Token) is not { } saga)
            {
                Open.Ended(id); // its log never began
                return;
            }

            if (!saga.HasEnded) await Parties.LoadAsync(saga, _stopping.Token);
            open.BecomesKnown(saga);
            if (saga.HasEnded) return;
            SagaMetrics.Resumed.Add(1);
            await RunAsync(saga, isResumed: true);
        });
        return open.Known;
    }
}
