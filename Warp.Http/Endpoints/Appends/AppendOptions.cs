using System.Text;
using Microsoft.Extensions.Primitives;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>What an append asks for outside its body: path, query and headers, read into the command.</summary>
internal struct AppendOptions
{
    public bool IsNdjson;

    /// <summary>The Idempotency-Key; null = none.</summary>
    public string? Key;
    public bool ReturnState;
    public bool ReturnEvents;

    /// <summary>If-Match: *.</summary>
    public bool MustExist;

    public static Problem? Read(HttpContext context, Limits limits, AppendCommand command, out AppendOptions options)
    {
        options = default;
        Span<byte> name = stackalloc byte[RequestTarget.NameBytesMax(limits)];
        if (RequestTarget.ReadEntity(context, limits, name, out var length, out _) is { } pathProblem) return pathProblem;
        name = name[..length];
        if (EntityName.IsReserved(name)) return Problems.ReservedKind(name[..name.IndexOf((byte)'/')]);
        command.SetEntity(name);

        var request = context.Request;
        if (MediaTypes.OfBody(request, out options.IsNdjson) is { } typeProblem) return typeProblem;
        if (EntityTags.ReadPreconditions(request.Headers, out var expected, out options.MustExist) is { } tagProblem) return tagProblem;
        command.Expect = expected;
        if (request.QueryString.HasValue && ReadQuery(request, command, ref options) is { } queryProblem) return queryProblem;
        options.ReturnEvents = Prefers(request.Headers["Prefer"], "return=representation");
        return ReadKey(request.Headers["Idempotency-Key"], command, ref options);
    }

    private static Problem? ReadQuery(HttpRequest request, AppendCommand command, ref AppendOptions options)
    {
        var query = new QueryParameters(request, "recreate", "return");
        command.Recreate = query.Flag("recreate");
        options.ReturnState = query.Text("return") is not null && query.Choice("return", "state").Length > 0;
        return query.Problem;
    }

    private static Problem? ReadKey(StringValues header, AppendCommand command, ref AppendOptions options)
    {
        if (header.Count == 0) return null;
        var key = header.ToString();
        if (header.Count > 1 || key.Length is 0 or > Limits.IdempotencyKeyChars || key.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            return Problems.InvalidRequest("Idempotency-Key",
                $"An Idempotency-Key is given once and has 1 to {Limits.IdempotencyKeyChars} visible ASCII characters; this one has {key.Length}.");
        }

        Span<byte> ascii = stackalloc byte[Limits.IdempotencyKeyChars];
        command.SetIdempotencyKey(ascii[..Encoding.ASCII.GetBytes(key, ascii)]);
        options.Key = key;
        return null;
    }

    public static bool Prefers(StringValues header, string preference)
    {
        foreach (var line in header)
            foreach (var range in line.AsSpan().Split(','))
                if (line.AsSpan()[range].Trim().Equals(preference, StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }
}
