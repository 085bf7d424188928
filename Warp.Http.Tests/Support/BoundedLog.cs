using System.Text;

namespace Warp.Http.Tests.Support;

/// <summary>The last lines a child process wrote, so that a chatty one does not fill the tests' memory.</summary>
internal sealed class BoundedLog
{
    private const int CharsMax = 64 * 1024;
    private readonly Lock _gate = new();
    private readonly Queue<string> _lines = new();
    private int _chars;

    public void Add(string? line)
    {
        if (line is null) return;
        lock (_gate)
        {
            _lines.Enqueue(line);
            _chars += line.Length + 1;
            while (_chars > CharsMax) _chars -= _lines.Dequeue().Length + 1;
        }
    }

    public override string ToString()
    {
        lock (_gate)
        {
            var text = new StringBuilder(_chars);
            foreach (var line in _lines) text.AppendLine(line);
            return text.ToString();
        }
    }
}
