using Warp.Http.Erasure;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary><c>DELETE /v1/entities/{kind}/{id}</c> and <c>GET /v1/erasures/{receiptId}</c>.</summary>
internal sealed class ErasureEndpoints(EraseService erasure, EntityLookup lookup)
{
    public async Task EraseAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request);
        var name = lookup.ReadName(context, out var problem);
        problem ??= query.Problem;
        if (problem is null && EntityName.IsReserved(name)) problem = Problems.ReservedKind(name.AsSpan(0, name.AsSpan().IndexOf((byte)'/')));
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        // An erasure that was asked for is carried out, even if the asker does not stay for the receipt.
        var receipt = await erasure.EraseAsync(name, CancellationToken.None);
        if (receipt is null)
        {
            await ProblemWriter.WriteAsync(context, Problems.EntityNotFound());
            return;
        }

        if (!receipt.Complete)
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            context.Response.Headers.Location = $"/v1/erasures/{receipt.ReceiptId}";
        }

        Write(context.Response, receipt);
    }

    public async Task GetAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request);
        var receiptId = (string)context.Request.RouteValues["receiptId"]!;
        var receipt = query.Problem is null ? await erasure.FindReceiptAsync(receiptId, context.RequestAborted) : null;
        if (receipt is null) await ProblemWriter.WriteAsync(context, query.Problem ?? Problems.ErasureNotFound());
        else Write(context.Response, receipt);
    }

    private static void Write(HttpResponse response, EraseReceipt receipt)
    {
        using var json = JsonBuffer.Rent();
        json.Raw("{\"receiptId\":"u8);
        json.Text(receipt.ReceiptId);
        json.Raw(",\"erasedAt\":"u8);
        json.Time(receipt.ErasedAtMs);
        json.Raw(",\"events\":"u8);
        json.Number(receipt.Events);
        json.Raw(",\"stores\":{"u8);
        var isFirst = true;
        foreach (var (store, state) in receipt.Stores)
        {
            if (!isFirst) json.Raw((byte)',');
            isFirst = false;
            json.Text(store);
            json.Raw((byte)':');
            json.Text(state);
        }

        json.Raw("},\"destroyKeyBackupsBefore\":"u8);
        if (receipt.DestroyKeyBackupsBeforeMs is { } ms) json.Time(ms);
        else json.Raw("null"u8);
        json.Raw(receipt.Complete ? ",\"complete\":true}"u8 : ",\"complete\":false}"u8);
        response.Headers.CacheControl = EntityHeaders.CacheControl;
        JsonReply.Write(response, json);
    }
}
