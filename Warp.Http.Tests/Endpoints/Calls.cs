using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Warp.Http.Tests.Endpoints;

/// <summary>What tests send and read, in few words.</summary>
internal static class Calls
{
    public static Task<Answer> GetAsync(this WarpApp app, string path, params (string Name, string Value)[] headers) =>
        SendAsync(app, HttpMethod.Get, path, null, null, headers);

    public static Task<Answer> PostAsync(this WarpApp app, string path, string body, params (string Name, string Value)[] headers) =>
        SendAsync(app, HttpMethod.Post, path, body, "application/json", headers);

    public static Task<Answer> PutAsync(this WarpApp app, string path, string body) => SendAsync(app, HttpMethod.Put, path, body, "application/json");

    public static Task<Answer> DeleteAsync(this WarpApp app, string path) => SendAsync(app, HttpMethod.Delete, path);

    public static async Task<Answer> SendAsync(
        this WarpApp app, HttpMethod method, string path, string? body = null, string? mediaType = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            if (mediaType is not null) request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(mediaType);
        }

        foreach (var (name, value) in headers)
            if (!request.Headers.TryAddWithoutValidation(name, value)) request.Content!.Headers.TryAddWithoutValidation(name, value);
        using var response = await app.Http.SendAsync(request, TestContext.Current.CancellationToken);
        var all = response.Headers.Concat(response.Content.Headers).ToDictionary(h => h.Key, h => string.Join(", ", h.Value), StringComparer.OrdinalIgnoreCase);
        return new Answer((int)response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), all);
    }
}

/// <summary>An answer that outlives its connection.</summary>
internal sealed record Answer(int Status, string Body, IReadOnlyDictionary<string, string> Headers)
{
    private JsonElement Root => JsonDocument.Parse(Body).RootElement;

    public JsonElement this[string member] => Root.GetProperty(member);

    public string? Header(string name) => Headers.TryGetValue(name, out var value) ? value : null;

    public IReadOnlyList<JsonElement> Lines => [.. Body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];

    public Answer ShouldBe(int status)
    {
        Status.ShouldBe(status, Body);
        return this;
    }

    public Answer ShouldBeProblem(int status, string type)
    {
        Status.ShouldBe(status, Body);
        Root.GetProperty("type").GetString().ShouldBe("/problems/" + type, Body);
        return this;
    }
}
