using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;

namespace Warp.Http.Endpoints;

/// <summary><c>GET /live</c>: the page that shows events as they come, and the files it is made of, all within this assembly.</summary>
internal static class LiveEndpoints
{
    /// <summary>Nothing from elsewhere and no script within the page: an event's text that got into the markup could do nothing.</summary>
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static readonly Dictionary<string, PageFile> s_files = new(StringComparer.Ordinal)
    {
        ["index.html"] = new("index.html", "text/html; charset=utf-8"),
        ["live.css"] = new("live.css", "text/css; charset=utf-8"),
        ["live.js"] = new("live.js", "text/javascript; charset=utf-8"),
        ["sse.js"] = new("sse.js", "text/javascript; charset=utf-8"),
    };

    public static Task PageAsync(HttpContext context) => SendAsync(context, s_files["index.html"]);

    public static Task FileAsync(HttpContext context) =>
        s_files.TryGetValue((string)context.Request.RouteValues["file"]!, out var file)
            ? SendAsync(context, file)
            : ProblemWriter.WriteAsync(context, Problems.RouteNotFound());

    private static async Task SendAsync(HttpContext context, PageFile file)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers.CacheControl = "no-cache"; // asked for again, and answered in a few bytes: a new version shows at once
        headers.ETag = file.Tag;
        if (EntityTags.NoneMatchHits(context.Request.Headers.IfNoneMatch, file.Tag))
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        context.Response.ContentType = file.ContentType;
        context.Response.ContentLength = file.Bytes.Length;
        await context.Response.Body.WriteAsync(file.Bytes, context.RequestAborted);
    }

    private sealed class PageFile
    {
        public PageFile(string name, string contentType)
        {
            using var resource = typeof(LiveEndpoints).Assembly.GetManifestResourceStream($"live/{name}")!;
            Bytes = new byte[resource.Length];
            resource.ReadExactly(Bytes);
            ContentType = contentType;
            Tag = new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(Bytes))[..16]}\"").ToString();
        }

        public byte[] Bytes { get; }

        public string ContentType { get; }

        public string Tag { get; }
    }
}
