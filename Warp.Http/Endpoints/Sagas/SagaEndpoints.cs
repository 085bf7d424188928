using System.Globalization;
using System.Text;
using System.Text.Json;
using Warp.Http.Events;
using Warp.Http.Sagas;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary><c>/v1/sagas</c>: sagas are run, read, listed, and ended by a person where they are stuck.</summary>
internal sealed class SagaEndpoints(SagaService sagas, SagaJson saga, Store store, Limits limits)
{

    public async Task StartAsync(HttpContext context)
    {
        var problem = ReadId(context, out var id) ?? new QueryParameters(context.Request).Problem ?? MediaTypes.OfJson(context.Request);
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        var body = await RequestBody.ReadAsync(context, limits);
        IReadOnlyList<SagaStep> steps = [];
        TimeSpan timeout = default;
        problem = body.Problem ?? SagaParser.Parse(body.Bytes, limits, sagas.Conditions, out steps, out timeout);
        body.Release();
        if (problem is not null) await ProblemWriter.WriteAsync(context, problem);
        // From its first log entry on a saga can't be called back: the client's leaving only loses the answer.
        else await AnswerAsync(context, await sagas.StartAsync(id, steps, timeout, !IsAsync(context)));
    }

    public async Task GetAsync(HttpContext context)
    {
        var problem = ReadId(context, out var id) ?? new QueryParameters(context.Request).Problem;
        var found = problem is null ? await sagas.FindAsync(id, context.RequestAborted) : null;
        if (found is null) await ProblemWriter.WriteAsync(context, problem ?? Problems.SagaNotFound(id));
        else Write(context, found);
    }

    public async Task ListAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request, "resultType", "entity", "limit", "cursor");
        SagaResult result = default;
        var hasResult = query.Text("resultType") is not null
            && LogFormat.TryParseResult(query.Choice("resultType", "RUNNING", "COMPENSATING", "COMMITTED", "COMPENSATED", "STUCK"), out result);
        var entity = query.Text("entity") is { } name ? Encoding.UTF8.GetBytes(name) : null;
        if (entity is not null && !EntityName.TryCheck(entity, limits, out var nameError)) query.Refuse("entity", nameError!);
        var limit = query.Limit(limits.HistoryLimit);
        var cursor = query.Text("cursor");
        var problem = query.Problem;
        Life after = default;
        if (cursor is not null && (entity is null ? !sagas.TryParsePlace(cursor, out after) : SagaService.ParseCursor(cursor) is null))
            problem ??= Problems.InvalidCursor("The cursor is not one that this list gave; start without one.");
        var mediaType = MediaTypes.Choose(context.Request, MediaTypes.Json, MediaTypes.Ndjson);
        if (mediaType is null) problem ??= Problems.NotAcceptable($"{MediaTypes.Json} or {MediaTypes.Ndjson}");
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        SagaResult? filter = hasResult ? result : null;
        var (page, next) = entity is null
            ? await sagas.ListAsync(filter, after, limit, context.RequestAborted)
            : await sagas.ListOfAsync(entity, filter, cursor, limit, context.RequestAborted);
        var path = next is null ? null : NextPath(filter, entity, limit, next);
        if (path is not null) context.Response.Headers.Link = $"<{path}>; rel=\"next\"";
        WriteList(context, page, path, mediaType!);
    }

    public async Task RetryAsync(HttpContext context)
    {
        var problem = ReadId(context, out var id) ?? new QueryParameters(context.Request).Problem;
        if (problem is not null) await ProblemWriter.WriteAsync(context, problem);
        else await AnswerAsync(context, await sagas.RetryAsync(id, !IsAsync(context)));
    }

    public async Task ResolveAsync(HttpContext context)
    {
        var problem = ReadId(context, out var id) ?? new QueryParameters(context.Request).Problem ?? MediaTypes.OfJson(context.Request);
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        var body = await RequestBody.ReadAsync(context, limits);
        var note = "";
        problem = body.Problem ?? ReadNote(body.Bytes, out note);
        body.Release();
        if (problem is not null) await ProblemWriter.WriteAsync(context, problem);
        else await AnswerAsync(context, await sagas.ResolveAsync(id, note));
    }

    /// <summary>The id in the route: its grammar has no character that decoding could make ambiguous.</summary>
    public static Problem? ReadId(HttpContext context, out string id)
    {
        id = (string)context.Request.RouteValues["sagaId"]!;
        return SagaIds.IdError(id) is { } error ? Problems.InvalidRequest("sagaId", error) : null;
    }

    private static bool IsAsync(HttpContext context) => AppendOptions.Prefers(context.Request.Headers["Prefer"], "respond-async");

    private Problem? ReadNote(ReadOnlySpan<byte> body, out string note)
    {
        note = "";
        if (JsonStrictness.CheckDocument(body, limits) is { } invalid) return invalid;
        var reader = new Utf8JsonReader(body);
        var isGiven = false;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return Problems.InvalidRequest("$", "$: The body is an object with a note.");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (!reader.ValueTextEquals("note"u8) || isGiven) return Problems.InvalidRequest("$", "$: The body has one member, note.");
            isGiven = true;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String) return Problems.InvalidRequest("$.note", "$.note: The value is a string.");
            note = reader.GetString()!;
        }

        return note.Length is > 0 and <= SagaOptions.NoteChars
            ? null
            : Problems.InvalidRequest("$.note", $"$.note: The note says how the saga was settled, in 1 to {SagaOptions.NoteChars} characters; this one has {note.Length}.");
    }

    private Task AnswerAsync(HttpContext context, in SagaAnswer answer)
    {
        var problem = answer.Kind switch
        {
            SagaAnswerKind.Saga => null,
            SagaAnswerKind.NotFound => Problems.SagaNotFound((string)context.Request.RouteValues["sagaId"]!),
            SagaAnswerKind.OtherSteps => Problems.SagaConflict("The id belongs to a saga of other steps; a saga is begun once."),
            SagaAnswerKind.NotStuck => Problems.SagaConflict("The saga is not stuck: only a person's saga can be retried or resolved."),
            SagaAnswerKind.TooMany => Problems.TooManySagas(sagas.InFlightMax),
            _ => BeginProblem(answer.Refusal),
        };
        if (problem is not null) return ProblemWriter.WriteAsync(context, problem);
        if (!answer.HasEnded)
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            context.Response.Headers.Location = $"/v1/sagas/{answer.Saga!.Id}";
            context.Response.Headers["Preference-Applied"] = "respond-async";
        }

        Write(context, answer.Saga!);
        return Task.CompletedTask;
    }

    /// <summary>A saga that could not be begun: what it would have been stays unsaid, but for one in doubt.</summary>
    private static Problem BeginProblem(in AppendOutcome refusal) => refusal.Status == AppendStatus.InDoubt
        ? Problems.ShardUnavailable("The commit failed: whether the saga began is not known. Send it again with the same id and steps; it runs once.")
        : ProblemMapping.Of(refusal, default)!;

    private void Write(HttpContext context, SagaState found)
    {
        context.Response.Headers.CacheControl = EntityHeaders.CacheControl;
        context.Response.Headers["Warp-Cursor"] = store.CurrentCursor;
        using var json = JsonBuffer.Rent();
        saga.Write(json, found);
        JsonReply.Write(context.Response, json);
    }

    private void WriteList(HttpContext context, List<SagaState> page, string? next, string mediaType)
    {
        var isNdjson = mediaType is MediaTypes.Ndjson;
        using var json = JsonBuffer.Rent();
        if (!isNdjson) json.Raw("{\"sagas\":["u8);
        for (var i = 0; i < page.Count; i++)
        {
            if (!isNdjson && i > 0) json.Raw((byte)',');
            saga.Write(json, page[i]);
            if (isNdjson) json.Raw((byte)'\n');
        }

        if (!isNdjson)
        {
            json.Raw("],\"next\":"u8);
            if (next is null) json.Raw("null"u8);
            else json.Text(next);
            json.Raw((byte)'}');
        }

        context.Response.Headers.CacheControl = EntityHeaders.CacheControl;
        JsonReply.Write(context.Response, json, mediaType);
    }

    private static string NextPath(SagaResult? result, byte[]? entity, int limit, string cursor)
    {
        var filters = result is { } only ? $"resultType={LogFormat.NameOf(only)}&" : "";
        if (entity is not null) filters += $"entity={Uri.EscapeDataString(Encoding.UTF8.GetString(entity))}&";
        return string.Create(CultureInfo.InvariantCulture, $"/v1/sagas?{filters}limit={limit}&cursor={cursor}");
    }
}
