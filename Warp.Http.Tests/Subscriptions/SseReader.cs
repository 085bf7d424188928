namespace Warp.Http.Tests.Subscriptions;

/// <summary>A message as a client sees it.</summary>
internal sealed record SseMessage(string Event, string Id, string Data)
{
    public bool IsEvent => Event.Length == 0;
}

/// <summary>Reads an event stream by the rules of the HTML standard, a line at a time: <see cref="TextReader.ReadLine"/> ends lines where those rules do.</summary>
internal sealed class SseReader(TextReader text)
{
    /// <summary>The id that a client would resume with.</summary>
    public string LastEventId { get; private set; } = "";

    public int Comments { get; private set; }

    public string? Retry { get; private set; }

    /// <summary>The next message with data; null at the end of the stream.</summary>
    public async Task<SseMessage?> ReadAsync(CancellationToken cancel)
    {
        var (type, id, data) = ("", LastEventId, (string?)null);
        while (await text.ReadLineAsync(cancel) is { } line)
        {
            if (line.Length == 0)
            {
                LastEventId = id;
                if (data is not null) return new SseMessage(type, id, data);
                type = "";
                continue;
            }

            var colon = line.IndexOf(':');
            var field = colon < 0 ? line : line[..colon];
            var value = colon < 0 ? "" : line[(colon + 1)..];
            if (value.StartsWith(' ')) value = value[1..];
            switch (field)
            {
                case "": Comments++; break;
                case "event": type = value; break;
                case "data": data = data is null ? value : data + "\n" + value; break;
                case "id": id = value; break;
                case "retry": Retry = value; break;
                default: throw new InvalidDataException($"An unknown field: {line}");
            }
        }

        return null;
    }
}
