using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Acceptance;

/// <summary>What README shows is what comes back: each command of its walk is run, and its output compared.</summary>
public sealed partial class ReadmeWalkTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Every_command_of_the_walk_answers_as_README_shows()
    {
        Assert.SkipUnless(File.Exists("/bin/bash") && File.Exists("/usr/bin/curl"), "The walk needs bash and curl.");
        using var data = new TempDirectory("walk");
        await using var service = await WarpProcess.StartAsync(new WarpProcessOptions(data.Path), TestContext.Current.CancellationToken);
        var steps = Steps(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "README.md"), TestContext.Current.CancellationToken)).ToList();
        steps.Count.ShouldBeGreaterThan(10, "README has a walk");
        foreach (var (command, shown) in steps)
        {
            output.WriteLine(command);
            var answered = await RunAsync(command.Replace("localhost:9090", service.Address.Authority, StringComparison.Ordinal));
            Comparable(answered).ShouldBe(Comparable(shown), command);
        }
    }

    /// <summary>Commands begin with <c>$</c>, go on with <c>&gt;</c>; what follows is their output.</summary>
    private static IEnumerable<(string Command, string Output)> Steps(string readme)
    {
        foreach (Match block in ConsoleBlock().Matches(readme))
        {
            var command = "";
            var shown = new StringBuilder();
            foreach (var line in block.Groups["walk"].Value.Split('\n'))
            {
                if (line.StartsWith("$ ", StringComparison.Ordinal))
                {
                    if (command.Length > 0) yield return (command, shown.ToString());
                    command = line[2..];
                    shown.Clear();
                }
                else if (line.StartsWith("> ", StringComparison.Ordinal))
                {
                    command += "\n" + line[2..];
                }
                else
                {
                    shown.AppendLine(line);
                }
            }

            yield return (command, shown.ToString());
        }
    }

    private static async Task<string> RunAsync(string command)
    {
        var start = new ProcessStartInfo("/bin/bash", ["-c", command]) { RedirectStandardOutput = true, UseShellExecute = false, WorkingDirectory = Repository.Root };
        using var process = Process.Start(start)!;
        var text = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return text;
    }

    // Times, hashes and random ids are new each time; everything else must be the same to the letter.
    private static string Comparable(string text) => Hex().Replace(Time().Replace(text, "TIME"), "HEX").Trim();

    [GeneratedRegex("```console\n(?<walk>.*?)\n```", RegexOptions.Singleline | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex ConsoleBlock();

    [GeneratedRegex(@"20\d\d-\d\d-\d\dT[0-9:.]+Z", RegexOptions.NonBacktracking)]
    private static partial Regex Time();

    [GeneratedRegex("\\b([0-9a-f]{64}|[0-9a-f]{32})\\b", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Hex();
}
