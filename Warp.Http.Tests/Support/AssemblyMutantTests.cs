using System.Reflection;
using System.Runtime.Loader;
using System.Text;

namespace Warp.Http.Tests.Support;

public sealed class AssemblyMutantTests
{
    private const string Sample = "Warp.Http.Tests.Support.MutantSample";

    [Fact]
    public void Without_an_edit_the_sample_behaves() => Run(_ => { }, sample => sample.Commit(3)).ShouldBe("write:3 sync ack:3 ok");

    [Fact]
    public void A_call_can_be_left_out() =>
        Run(mutant => mutant.RemoveCall(Sample, "Commit", "Sync"), sample => sample.Commit(3)).ShouldBe("write:3 failed");

    [Fact]
    public void A_call_can_be_moved_before_another() =>
        Run(mutant => mutant.MoveCallBefore(Sample, "Commit", "Acknowledge", "Write"),
            sample => sample.Commit(3)).ShouldBe("ack:3 write:3 sync ok");

    [Fact]
    public void A_call_can_be_moved_to_the_start() =>
        Run(mutant => mutant.MoveCallToStart(Sample, "Plain", "Second"), sample => sample.Plain()).ShouldBe("second first");

    [Fact]
    public void A_call_can_be_added_at_the_start() =>
        Run(mutant => mutant.CallAtStart(Sample, "Commit", "Acknowledge"),
            sample => sample.Commit(3)).ShouldBe("ack:3 write:3 sync ack:3 ok");

    [Fact]
    public void A_condition_can_be_turned_round() =>
        Run(mutant => mutant.NegateCondition(Sample, "Commit", "Sync"), sample => sample.Commit(3)).ShouldBe("write:3 sync failed");

    [Fact]
    public void A_method_can_be_emptied() =>
        Run(mutant => mutant.MakeBodyReturn(Sample, "Sync", true), sample => sample.Commit(3)).ShouldBe("write:3 ack:3 ok");

    [Fact]
    public void A_string_can_be_replaced() =>
        Run(mutant => mutant.ReplaceString(Sample, "Pragma", "=FULL", "=OFF"), sample => sample.Pragma()).ShouldBe("synchronous=OFF;");

    [Fact]
    public void A_utf8_literal_can_be_replaced() =>
        Run(mutant => mutant.ReplaceString("*", "Utf8Pragma", "=FULL", "=OFF"),
            sample => sample.Utf8Pragma()).ShouldBe("journal_mode=WAL; synchronous=OFF ;");

    [Fact]
    public void Async_methods_are_reached_through_their_state_machine() =>
        Run(mutant => mutant.RemoveCall(Sample, "CommitAsync", "SyncAsync")
                .SleepBefore(Sample, "CommitAsync", "Acknowledge", TimeSpan.FromMilliseconds(1)),
            sample => sample.CommitNow(4)).ShouldBe("write:4 ack:4");

    [Fact]
    public void Async_methods_can_be_emptied() =>
        Run(mutant => mutant.MakeBodyReturn(Sample, "SyncAsync", 7)
                .MakeBodyReturn(Sample, "ValueAsync", true).MakeBodyReturn(Sample, "CommitAsync"),
            sample => sample.CommitNow(4)).ShouldBe("");

    [Theory]
    [InlineData("Warp.Http.Tests.Support.NoSuchType", "Commit", "Sync")]
    [InlineData(Sample, "NoSuchMethod", "Sync")]
    [InlineData(Sample, "Commit", "NoSuchCall")]
    public void An_edit_that_hits_nothing_is_an_error(string type, string method, string call)
    {
        using var mutant = AssemblyMutant.Of(typeof(MutantSample).Assembly.Location);

        var failure = Should.Throw<InvalidOperationException>(() => mutant.RemoveCall(type, method, call));

        failure.Message.ShouldContain("would equal the original");
    }

    private static string Run(Action<AssemblyMutant> edit, Func<IMutantSample, string> use)
    {
        using var directory = new TempDirectory("mutant");
        using var mutant = AssemblyMutant.Of(typeof(MutantSample).Assembly.Location);
        edit(mutant);
        var context = new AssemblyLoadContext("mutant", isCollectible: true);
        using var bytes = File.OpenRead(Path.Combine(mutant.WriteTo(directory), Path.GetFileName(typeof(MutantSample).Assembly.Location)));
        // The mutant's own copy of the interface is another type, so the calls go through a proxy that matches by name.
        var instance = Activator.CreateInstance(context.LoadFromStream(bytes).GetType(Sample, throwOnError: true)!)!;
        var sample = DispatchProxy.Create<IMutantSample, ByName>();
        ((ByName)sample).Target = instance;
        var result = use(sample);
        context.Unload();
        return result;
    }

    public class ByName : DispatchProxy
    {
        public object? Target { get; set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            Target!.GetType().GetMethod(targetMethod!.Name)!.Invoke(Target, args);
    }
}

public interface IMutantSample
{
    string Commit(int value);
    string Plain();
    string Pragma();
    string Utf8Pragma();
    string CommitNow(int value);
}

/// <summary>Something small with the shape of what the mutants of the service change.</summary>
public sealed class MutantSample : IMutantSample
{
    private readonly List<string> _trace = [];

    public string Commit(int value)
    {
        var number = value.ToString();
        Write(number);
        if (Sync())
        {
            Acknowledge(value);
            _trace.Add("ok");
        }
        else
        {
            _trace.Add("failed");
        }

        return string.Join(' ', _trace);
    }

    public string Plain()
    {
        First();
        Second();
        return string.Join(' ', _trace);
    }

    public string Pragma() => "synchronous=FULL;";

    public string Utf8Pragma() => Encoding.UTF8.GetString("journal_mode=WAL; synchronous=FULL;"u8);

    public string CommitNow(int value)
    {
        var work = CommitAsync(value);
        work.IsCompleted.ShouldBeTrue();
        return string.Join(' ', _trace);
    }

    private async Task CommitAsync(int value)
    {
        Write(value.ToString());
        var slept = await SyncAsync();
        if (await ValueAsync() || slept >= 0) Acknowledge(value);
    }

    private async Task<int> SyncAsync()
    {
        await Task.CompletedTask;
        _trace.Add("sync");
        return 1;
    }

    private async ValueTask<bool> ValueAsync()
    {
        await Task.CompletedTask;
        return false;
    }

    private void Write(string value) => _trace.Add($"write:{value}");

    private bool Sync()
    {
        _trace.Add("sync");
        return true;
    }

    private void Acknowledge(int value) => _trace.Add($"ack:{value}");

    private void First() => _trace.Add("first");

    private void Second() => _trace.Add("second");
}
