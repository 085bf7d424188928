using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Warp.Http.Tests.Support.Rqlite;

/// <summary>How a call of the fake goes wrong.</summary>
public enum RqliteFault
{
    None,

    /// <summary>The connection breaks before anything happens.</summary>
    DropBefore,

    /// <summary>It happens, and the connection breaks.</summary>
    DropAfter,

    /// <summary>No leader: 503 with a text; nothing happens.</summary>
    NoLeader,

    /// <summary>It happens, and the answer is 200 with an error at its top and no results.</summary>
    UnknownOutcome,

    /// <summary>The same answer, and nothing has happened.</summary>
    UnknownAndNotDone,

    /// <summary>It does not happen, and there is no answer for as long as anybody waits.</summary>
    Silence,
}

/// <summary>A node of rqlite as far as a projector meets it, over one SQLite database in memory: what a real one does is written down beside each rule.</summary>
/// <remarks>Any thread; statements run one call after another, as rqlite applies its log.</remarks>
internal sealed class FakeRqlite : IAsyncDisposable
{
    private const string LeadershipLost = """{"results":[],"error":"leadership lost while committing log"}""";

    private readonly WebApplication _app;
    private readonly SqliteConnection _database = new("Data Source=:memory:");
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly string? _credentials;
    private SqliteConnection? _behind; // under _turn
    private int _calls;

    private FakeRqlite(string? user, string? password)
    {
        if (user is not null) _credentials = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"));
        _database.Open();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    /// <summary>The faults that end in an answer, or in none, at once.</summary>
    public static IReadOnlyList<RqliteFault> Quick { get; } =
        [RqliteFault.DropBefore, RqliteFault.DropAfter, RqliteFault.NoLeader, RqliteFault.UnknownOutcome, RqliteFault.UnknownAndNotDone];

    /// <summary>Asked at each call by its path.</summary>
    public Func<string, RqliteFault> Fault { get; set; } = _ => RqliteFault.None;

    public int Calls => _calls;

    /// <summary>The <c>level</c> of each query, in order.</summary>
    public ConcurrentQueue<string> Levels { get; } = [];

    public static async Task<FakeRqlite> StartAsync(string? user = null, string? password = null)
    {
        var fake = new FakeRqlite(user, password);
        await fake._app.StartAsync();
        return fake;
    }

    /// <summary>Runs a statement behind everybody's back.</summary>
    public async Task<List<string>> SelectAsync(string sql)
    {
        await _turn.WaitAsync();
        try
        {
            return Projections.SqliteFile.Select(_database, sql);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>From now on the node itself has what there is now, and its leader goes on.</summary>
    public async Task FallBehindAsync()
    {
        await _turn.WaitAsync();
        _behind ??= new SqliteConnection("Data Source=:memory:");
        await _behind.OpenAsync();
        _database.BackupDatabase(_behind);
        _turn.Release();
    }

    /// <summary>The node has what its leader has again.</summary>
    public async Task CatchUpAsync()
    {
        await _turn.WaitAsync();
        if (_behind is not null) await _behind.DisposeAsync();
        _behind = null;
        _turn.Release();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _app.DisposeAsync();
        if (_behind is not null) await _behind.DisposeAsync();
        await _database.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        Interlocked.Increment(ref _calls);
        var path = context.Request.Path.Value!;
        var fault = Fault(path);
        if (_credentials is not null && context.Request.Headers.Authorization != _credentials)
        {
            context.Response.StatusCode = 401; // and no body
            return;
        }

        var level = context.Request.Query["level"].ToString();
        if (path == "/db/query") Levels.Enqueue(level);
        if (await FailsBeforeAsync(context, fault, isLocal: level == "none")) return;
        if (path == "/readyz")
        {
            await context.Response.WriteAsync("[+]node ok\n[+]leader ok");
            return;
        }

        JsonElement statements;
        try
        {
            // A gzip body is no JSON to it either.
            statements = (await JsonDocument.ParseAsync(context.Request.Body)).RootElement.Clone();
            if (statements.ValueKind != JsonValueKind.Array) throw new JsonException();
        }
        catch (JsonException)
        {
            await RefuseAsync(context, 400, "bad request");
            return;
        }

        var isWrite = path == "/db/execute";
        if (!isWrite && path != "/db/query")
        {
            await RefuseAsync(context, 404, "404 page not found");
            return;
        }

        await _turn.WaitAsync();
        string results;
        try
        {
            results = Run(level == "none" && _behind is not null ? _behind : _database, statements, isWrite, context.Request.Query.ContainsKey("transaction"));
        }
        finally
        {
            _turn.Release();
        }

        if (fault == RqliteFault.DropAfter)
        {
            context.Abort();
            return;
        }

        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(fault == RqliteFault.UnknownOutcome ? LeadershipLost : $$"""{"results":[{{results}}]}""");
    }

    /// <summary>A read with <c>level=none</c> needs no leader.</summary>
    private async Task<bool> FailsBeforeAsync(HttpContext context, RqliteFault fault, bool isLocal)
    {
        switch (fault)
        {
            case RqliteFault.DropBefore:
                context.Abort();
                return true;
            case RqliteFault.NoLeader when !isLocal:
                await RefuseAsync(context, 503, "leader not found");
                return true;
            case RqliteFault.UnknownAndNotDone:
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync(LeadershipLost);
                return true;
            case RqliteFault.Silence:
                using (var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping.Token))
                    await Task.Delay(Timeout.Infinite, end.Token).ContinueWith(static _ => { }, TaskScheduler.Default);
                context.Abort();
                return true;
            default:
                return false;
        }
    }

    private static async Task RefuseAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(text + "\n");
    }

    /// <summary>Errors of SQL are in their result, with HTTP 200. In a transaction the first one undoes everything and ends the list.</summary>
    private static string Run(SqliteConnection database, JsonElement statements, bool isWrite, bool inTransaction)
    {
        var results = new List<string>();
        if (inTransaction) Execute(database, "BEGIN");
        var hasFailed = false;
        foreach (var statement in statements.EnumerateArray())
        {
            var sql = statement.ValueKind == JsonValueKind.Array ? statement[0].GetString()! : statement.GetString()!;
            if (sql.Trim().Length == 0) continue; // dropped, and later results move up
            try
            {
                using var command = database.CreateCommand();
#pragma warning disable CA2100 // A server of SQL.
                command.CommandText = sql;
#pragma warning restore CA2100
                if (statement.ValueKind == JsonValueKind.Array) Bind(command, statement);
                results.Add(isWrite ? Written(command) : Read(command));
            }
            catch (Exception e) when (e is SqliteException or InvalidOperationException)
            {
                results.Add($$"""{"error":{{JsonSerializer.Serialize(Said(e))}}}""");
                hasFailed = inTransaction;
                if (hasFailed) break;
            }
        }

        if (inTransaction) Execute(database, hasFailed ? "ROLLBACK" : "COMMIT");
        return string.Join(',', results);
    }

    private static void Execute(SqliteConnection database, string sql)
    {
        using var command = database.CreateCommand();
#pragma warning disable CA2100
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    /// <summary>rows_affected is left out when 0.</summary>
    private static string Written(SqliteCommand command)
    {
        var rows = command.ExecuteNonQuery();
        return rows > 0 ? string.Create(CultureInfo.InvariantCulture, $$"""{"last_insert_id":1,"rows_affected":{{rows}}}""") : "{}";
    }

    /// <summary>Without rows there is no values. A REAL that is whole is written as a whole number.</summary>
    private static string Read(SqliteCommand command)
    {
        using var reader = command.ExecuteReader();
        var columns = Enumerable.Range(0, reader.FieldCount).Select(reader.GetName).ToList();
        var types = Enumerable.Range(0, reader.FieldCount).Select(i => DeclaredType(reader, i)).ToList();
        var rows = new List<string>();
        while (reader.Read())
            rows.Add("[" + string.Join(',', Enumerable.Range(0, reader.FieldCount).Select(i => JsonSerializer.Serialize(reader.IsDBNull(i) ? null : reader.GetValue(i)))) + "]");
        var values = rows.Count == 0 ? "" : $",\"values\":[{string.Join(',', rows)}]";
        return $$"""{"columns":{{JsonSerializer.Serialize(columns)}},"types":{{JsonSerializer.Serialize(types)}}{{values}}}""";
    }

    private static string DeclaredType(SqliteDataReader reader, int column)
    {
        var type = reader.GetDataTypeName(column).ToLowerInvariant();
        return type is "blob" ? "" : type;
    }

    private static void Bind(SqliteCommand command, JsonElement statement)
    {
        var given = statement.EnumerateArray().Skip(1).ToList();
        if (given.Count == 1 && given[0].ValueKind == JsonValueKind.Object)
        {
            foreach (var named in given[0].EnumerateObject()) command.Parameters.AddWithValue(":" + named.Name, Value(named.Value));
            return;
        }

        // ADO.NET has names only: each ? becomes one.
        var sql = new StringBuilder();
        var next = 0;
        foreach (var part in command.CommandText.Split('?'))
        {
            sql.Append(part);
            if (next >= given.Count) continue;
            sql.Append(CultureInfo.InvariantCulture, $":p{next}");
            command.Parameters.AddWithValue($":p{next}", Value(given[next]));
            next++;
        }
#pragma warning disable CA2100
        command.CommandText = sql.ToString();
#pragma warning restore CA2100
    }

    /// <summary>A text of the form <c>x'41'</c> becomes a BLOB; whole numbers beyond 64 bits become REAL.</summary>
    private static object Value(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String when value.GetString() is { Length: > 2 } text && text[0] is 'x' or 'X' && value.GetString()![1] == '\'' && value.GetString()![^1] == '\'' =>
            Convert.FromHexString(value.GetString()![2..^1]),
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.True => 1L,
        JsonValueKind.False => 0L,
        JsonValueKind.Number when value.TryGetInt64(out var integer) => integer,
        JsonValueKind.Number => value.GetDouble(),
        _ => DBNull.Value,
    };

    private static string Said(Exception e)
    {
        // ADO.NET wraps what SQLite says: SQLite Error 19: 'NOT NULL constraint failed: t.x'.
        var from = e.Message.IndexOf('\'', StringComparison.Ordinal);
        return from >= 0 ? e.Message[(from + 1)..].TrimEnd('.', '\'') : e.Message;
    }
}
