using System.Text;

namespace Warp.Http.Tests.Support;

/// <summary>Looks for what must be nowhere any more.</summary>
internal static class Remains
{
    /// <summary>The files of a data directory that hold the text, in UTF-8, UTF-16 or base64.</summary>
    public static List<string> Of(string data, string text)
    {
        byte[][] forms = [Encoding.UTF8.GetBytes(text), Encoding.Unicode.GetBytes(text),
            Encoding.ASCII.GetBytes(Convert.ToBase64String(Encoding.UTF8.GetBytes(text))[..12])];
        var found = new List<string>();
        foreach (var file in Directory.EnumerateFiles(data, "*", SearchOption.AllDirectories))
        {
            if (Path.GetFileName(file) == "lock") continue;
            try
            {
                using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                var bytes = new byte[stream.Length];
                stream.ReadExactly(bytes);
                if (forms.Any(form => bytes.AsSpan().IndexOf(form) >= 0)) found.Add(file);
            }
            catch (Exception e) when (e is FileNotFoundException or EndOfStreamException)
            {
                // Maintenance has just taken it away, or cut it.
            }
        }

        return found;
    }
}
