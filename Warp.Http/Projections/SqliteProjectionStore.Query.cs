using System.Collections.Concurrent;

namespace Warp.Http.Projections;

/// <content>Queries: read-only connections of their own, so that they never wait for the writer.</content>
internal sealed partial class SqliteProjectionStore : IQueryStore
{
    private readonly ConcurrentBag<QueryConnection> _idle = [];

    /// <summary>Longest value or row that a query reads or makes.</summary>
    public int QueryValueBytes { get; init; } = 8 * 1024 * 1024;

    public ValueTask<QueryOutcome> CheckAsync(SqlQuery query, CancellationToken cancellation) => OnConnectionAsync(query, null, cancellation);

    public ValueTask<QueryOutcome> QueryAsync(SqlQuery query, QueryCaps caps, CancellationToken cancellation) => OnConnectionAsync(query, caps, cancellation);

    private async ValueTask<QueryOutcome> OnConnectionAsync(SqlQuery query, QueryCaps? caps, CancellationToken cancellation)
    {
        if (!_idle.TryTake(out var connection))
        {
            await RunAsync(static _ => { }, cancellation); // the writer makes the file
            connection = QueryConnection.Open(path, QueryValueBytes, TimeProvider.System);
        }

        var isKept = false;
        try
        {
            // On a thread that nobody else waits for: it computes, and may do so for seconds.
            var outcome = await Task.Run(() => connection.Run(query, caps, cancellation), CancellationToken.None);
            isKept = !_isClosed;
            return outcome;
        }
        finally
        {
            // One that failed may hold a file that is no longer there.
            if (isKept) _idle.Add(connection);
            else connection.Dispose();
            if (_isClosed) CloseQueries();
        }
    }

    private void CloseQueries()
    {
        while (_idle.TryTake(out var connection)) connection.Dispose();
    }
}
