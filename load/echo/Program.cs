// The most favourable honest comparison: the same server and request, the whole body read, an answer of the same shape and size, and
// nothing between them. No routing, no parsing, no storage, no logging.
var builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.ClearProviders();
var app = builder.Build();

// Shape and length of an append's answer, and of a small state.
var appended = (
    """{"entity":"user/u1234","life":"AAAAAAAAABcAAAAAAAAA","firstSeq":12345,"lastSeq":12345"""u8
    + ""","firstId":"AAAAAAAAABcAAAAAAAAAMDk","lastId":"AAAAAAAAABcAAAAAAAAAMDk"}"""u8).ToArray();
var state = (
    """{"entity":"user/u1234","aggregate":"Default","seq":12345,"definitionVersion":null"""u8
    + ""","state":{"amount":17,"currency":"EUR","reference":"0123456789abcdef"},"updatedAt":"2026-01-01T00:00:00.000Z"}"""u8).ToArray();

app.Run(async context =>
{
    var response = context.Response;
    response.ContentType = "application/json; charset=utf-8";
    if (HttpMethods.IsPost(context.Request.Method))
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync();
            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) break;
        }

        response.StatusCode = StatusCodes.Status201Created;
        response.Headers.Location = "/v1/entities/user/u1234/events?from=12345&to=12345";
        response.Headers.ETag = "\"12345.AAAAAAAAABcAAAAAAAAA\"";
        response.Headers["Warp-Cursor"] = "AAAAAAAAABcAAAAAAAAAMDkAAAAA";
        await WriteAsync(response, appended);
        return;
    }

    response.Headers.ETag = "\"12345.AAAAAAAAABcAAAAAAAAA.0\"";
    response.Headers.CacheControl = "private, no-cache";
    await WriteAsync(response, state);
});
app.Run();

static ValueTask<System.IO.Pipelines.FlushResult> WriteAsync(HttpResponse response, byte[] body)
{
    response.ContentLength = body.Length;
    return response.BodyWriter.WriteAsync(body);
}
