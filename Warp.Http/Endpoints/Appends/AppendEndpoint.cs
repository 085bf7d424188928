using System.Runtime.CompilerServices;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary><c>POST /v1/entities/{kind}/{id}/events</c>: one append, answered when it is durable.</summary>
/// <remarks>
/// Per append it allocates: the two task boxes of this method and the middleware around it, the strings of ETag and Location, and what
/// Kestrel does for headers. The body, the events and the answer are in pooled buffers.
/// </remarks>
internal sealed class AppendEndpoint(EntityRegistry registry, Store store, StateReader states, Expectations expectations, Limits limits)
{
    public async Task HandleAsync(HttpContext context)
    {
        var command = AppendCommand.Rent();
        if (AppendOptions.Read(context, limits, command, out var options) is { } refused)
        {
            command.Return();
            await ProblemWriter.WriteAsync(context, refused);
            return;
        }

        var problem = await ReadAsync(context, command, options);
        if (problem is null && options.MustExist) problem = await MustExistAsync(command, context.RequestAborted);
        if (problem is null)
        {
            // From here on the append can't be called back: the client's leaving only loses the answer.
            var outcome = await registry.AppendAsync(command);
            if (outcome.Status is AppendStatus.Appended or AppendStatus.Replayed) await AnswerAsync(context, command, outcome, options);
            else problem = Refusal(registry, command, outcome);
        }

        if (problem is not null) await ProblemWriter.WriteAsync(context, problem);
        command.Return();
    }

    /// <summary>Maps how an append ended; an erased entity's receipt is looked up.</summary>
    /// <returns>Null for a success.</returns>
    public static Problem? Refusal(EntityRegistry registry, AppendCommand command, in AppendOutcome outcome) =>
        outcome.Status == AppendStatus.Erased ? Problems.EntityErased(registry.FindErasure(command.Entity)) : ProblemMapping.Of(outcome, command.Expect);

    /// <summary>Body to events. Its state is large and pooled; kept apart, so that the caller's, which is not, stays small.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Problem?> ReadAsync(HttpContext context, AppendCommand command, AppendOptions options)
    {
        var body = await RequestBody.ReadAsync(context, limits);
        var problem = body.Problem ?? Parse(body, command, options);
        body.Release();
        return problem;
    }

    private Problem? Parse(RequestBody body, AppendCommand command, in AppendOptions options)
    {
        Expectation expectation = default;
        var problem = options.IsNdjson
            ? EventParser.ParseNdjson(body.Bytes, limits, command.Events)
            : EventParser.ParseJson(body.Bytes, limits, command.Events, out expectation);
        if (problem is not null) return problem;
        if (options.Key is not null && command.Events.HasIds)
            return Problems.InvalidRequest("Idempotency-Key", "The events have ids of their own; an Idempotency-Key would give them others. Send one or the other.");
        return expectations.Apply(expectation, command);
    }

    /// <summary>If-Match: * asks that there is an entity at all, which no seq can say.</summary>
    private async ValueTask<Problem?> MustExistAsync(AppendCommand command, CancellationToken cancellation)
    {
        var found = await registry.FindAsync(command.Entity.ToArray(), cancellation);
        return found.Presence == EntityPresence.Alive ? null : Problems.SeqMismatch("*", 0, "If-Match: * asks for an entity that has events; it has none.");
    }

    private Task AnswerAsync(HttpContext context, AppendCommand command, AppendOutcome outcome, AppendOptions options)
    {
        AppendReply.WriteHeaders(context, outcome, store.CurrentCursor);
        if (options.ReturnState || options.ReturnEvents) return AppendReply.WriteLongAsync(context, command, outcome, options, registry, states);
        AppendReply.WriteShort(context.Response, command, outcome, options.Key);
        return Task.CompletedTask;
    }
}
