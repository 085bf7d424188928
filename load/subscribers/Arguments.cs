using System.Globalization;

namespace Warp.Http.Subscribers;

/// <summary>What is measured; see <c>load/subscribers.sh</c>.</summary>
internal sealed record Arguments
{
    public Uri Url { get; private init; } = new("http://127.0.0.1:9090");

    /// <summary>Streams that read.</summary>
    public int Subscribers { get; private init; } = 1000;

    /// <summary>Entities over which they are spread; 1 = all follow the busy one.</summary>
    public int Entities { get; private init; } = 1;

    /// <summary>Streams beside them that never read.</summary>
    public int Deaf { get; private init; }

    /// <summary>Appends a second to the busy entity.</summary>
    public int Rate { get; private init; } = 50;

    public int Seconds { get; private init; } = 10;

    /// <summary>The service's process, whose memory is looked at; 0 = none.</summary>
    public int Pid { get; private init; }

    public static Arguments? Parse(string[] args)
    {
        var parsed = new Arguments();
        for (var i = 0; i < args.Length; i += 2)
        {
            if (i + 1 == args.Length) return null;
            var isNumber = int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number);
            switch (args[i])
            {
                case "--url": parsed = parsed with { Url = new Uri(args[i + 1]) }; break;
                case "--subscribers" when isNumber: parsed = parsed with { Subscribers = number }; break;
                case "--entities" when number > 0: parsed = parsed with { Entities = number }; break;
                case "--deaf" when isNumber: parsed = parsed with { Deaf = number }; break;
                case "--rate" when number > 0: parsed = parsed with { Rate = number }; break;
                case "--seconds" when number > 0: parsed = parsed with { Seconds = number }; break;
                case "--pid" when number > 0: parsed = parsed with { Pid = number }; break;
                default: return null;
            }
        }

        return parsed;
    }
}
