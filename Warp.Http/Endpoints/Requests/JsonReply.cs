using System.Buffers;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>Sends a finished answer with its length.</summary>
internal static class JsonReply
{
    public static void Write(HttpResponse response, JsonBuffer json, string contentType = MediaTypes.Json)
    {
        response.ContentType = contentType;
        response.ContentLength = json.Length;
        response.BodyWriter.Write(json.Written);
    }
}
