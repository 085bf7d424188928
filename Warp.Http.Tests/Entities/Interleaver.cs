using Warp.Http.Storage;

namespace Warp.Http.Tests.Entities;

/// <summary>What the threads of one execution do, made anew for each schedule, and what must hold when all have ended.</summary>
internal sealed record InterleavedProgram(Action[] Threads, Action AtEnd);

/// <summary>
/// Runs a small program under every schedule: one thread moves at a time, each atomic operation is a place where another may go on. A store
/// that is no fence (<see cref="Store"/>) may also become visible later, as a processor's store buffer allows.
/// </summary>
/// <remarks>
/// Threads hand the turn over among themselves; a schedule is the list of choices, and the next one differs in the last that can.
/// </remarks>
internal sealed class Interleaver : IDisposable
{
    /// <summary>More choices in one execution than a program of a few operations needs: it turns in a circle.</summary>
    private const int StepsMax = 500;

    [ThreadStatic]
    private static Interleaver? t_current;

    [ThreadStatic]
    private static int t_index;

    private readonly SemaphoreSlim[] _turns;
    private readonly Func<bool>?[] _blockedUntil;
    private readonly Queue<Action>[] _stores;
    private readonly bool[] _ended;
    private readonly SemaphoreSlim _allEnded = new(0);
    private readonly List<(int Chosen, int Options)> _path = [];
    private int _depth;
    private int _left;
    private int _running;
    private int _preemptions;
    private volatile Exception? _failure;

    private readonly int _preemptionsMax;

    private Interleaver(int threads, int preemptionsMax)
    {
        _preemptionsMax = preemptionsMax;
        _turns = [.. Enumerable.Range(0, threads).Select(_ => new SemaphoreSlim(0))];
        _stores = [.. Enumerable.Range(0, threads).Select(_ => new Queue<Action>())];
        _blockedUntil = new Func<bool>?[threads];
        _ended = new bool[threads];
    }

    /// <summary>Runs every schedule and answers how many there were.</summary>
    /// <param name="preemptionsMax">
    /// How often a thread that could go on is stopped in one schedule. Programs of more than a dozen operations have too many schedules
    /// for each run; few preemptions find what there is to find (Musuvathi, Qadeer: "Iterative context bounding", PLDI 2007).
    /// <c>WARP_TEST_INTERLEAVINGS=all</c> lifts the bound.
    /// </param>
    /// <exception cref="InterleavingException">A schedule under which something does not hold.</exception>
    public static int Explore(int threads, Func<InterleavedProgram> program, int preemptionsMax = int.MaxValue)
    {
        if (Environment.GetEnvironmentVariable("WARP_TEST_INTERLEAVINGS") == "all") preemptionsMax = int.MaxValue;
        using var interleaver = new Interleaver(threads, preemptionsMax);
        using var workers = new Workers(interleaver, threads);
        for (var schedules = 1; ; schedules++)
        {
            interleaver.Run(program(), workers);
            if (interleaver.NextSchedule()) continue;
            TestContext.Current.TestOutputHelper?.WriteLine($"{schedules} schedules.");
            return schedules;
        }
    }

    /// <summary>Before an atomic operation: another thread may go first. A fence: the thread's own stores are visible after it.</summary>
    public static void Step(bool isFence = true)
    {
        if (t_current is not { } current) return;
        current.HandOver(blockedUntil: null);
        if (isFence) current.Drain(t_index);
    }

    /// <summary>A store without a fence: others see it now or later, the thread itself must not look.</summary>
    public static void Store(Action store)
    {
        if (t_current is { } current) current._stores[t_index].Enqueue(store);
        else store();
    }

    /// <summary>Waits as on a kernel object; if nobody can move any more, that is a lost wake-up.</summary>
    public static void WaitUntil(Func<bool> condition) => t_current!.HandOver(condition);

    public void Dispose()
    {
        foreach (var turn in _turns) turn.Dispose();
        _allEnded.Dispose();
    }

    private void Run(InterleavedProgram program, Workers workers)
    {
        _depth = 0;
        _running = -1;
        _preemptions = 0;
        _failure = null;
        _left = program.Threads.Length;
        Array.Clear(_ended);
        workers.Start(program.Threads);
        GiveTurn(Choose());
        _allEnded.Wait();
        if (_failure is null)
        {
            try
            {
                program.AtEnd();
            }
            catch (Exception e)
            {
                _failure = e;
            }
        }

        if (_failure is { } failure)
            throw new InterleavingException(
                $"Schedule {string.Join(' ', _path.Take(_depth).Select(step => step.Chosen))}: {failure.Message}", failure);
    }

    private bool NextSchedule()
    {
        _path.RemoveRange(_depth, _path.Count - _depth);
        while (_path.Count > 0)
        {
            var (chosen, options) = _path[^1];
            _path.RemoveAt(_path.Count - 1);
            if (chosen + 1 >= options) continue;
            _path.Add((chosen + 1, options));
            return true;
        }

        return false;
    }

    private void HandOver(Func<bool>? blockedUntil)
    {
        var me = t_index;
        _blockedUntil[me] = blockedUntil;
        var next = Choose();
        if (next != me)
        {
            GiveTurn(next);
            _turns[me].Wait();
        }

        _blockedUntil[me] = null;
        if (_failure is not null) throw new AbandonedException();
    }

    /// <summary>The thread that moves next; the stores that become visible before it does are choices of their own.</summary>
    private int Choose()
    {
        while (true)
        {
            var movable = Enumerable.Range(0, _turns.Length)
                .Where(i => !_ended[i] && (_failure is not null || (_blockedUntil[i]?.Invoke() ?? true))).ToList();
            var storing = _failure is null ? Enumerable.Range(0, _turns.Length).Where(i => _stores[i].Count > 0).ToList() : [];
            if (movable.Count + storing.Count == 0)
            {
                if (_left == 0) return -1;
                _failure = new InvalidOperationException("Everybody sleeps and nobody will wake them.");
                continue;
            }

            var couldGoOn = movable.Contains(_running);
            if (couldGoOn && _preemptions >= _preemptionsMax) movable = [_running];
            var chosen = _failure is null ? Take(movable.Count + storing.Count) : 0;
            if (chosen < movable.Count)
            {
                if (couldGoOn && movable[chosen] != _running) _preemptions++;
                return _running = movable[chosen];
            }

            _stores[storing[chosen - movable.Count]].Dequeue()();
        }
    }

    private int Take(int options)
    {
        if (_depth == StepsMax)
        {
            _failure = new InvalidOperationException("The program does not come to an end.");
            return 0;
        }

        if (_depth == _path.Count) _path.Add((0, options));
        return _path[_depth++].Chosen;
    }

    private void GiveTurn(int thread) => _turns[thread].Release();

    private void Drain(int thread)
    {
        while (_stores[thread].TryDequeue(out var store)) store();
    }

    private void RunThread(int index, Action body)
    {
        t_current = this;
        t_index = index;
        _turns[index].Wait();
        try
        {
            if (_failure is null) body();
        }
        catch (AbandonedException)
        {
            // Another thread's failure ends the execution.
        }
        catch (Exception e)
        {
            _failure ??= e;
        }

        if (_failure is not null) _stores[index].Clear();
        _ended[index] = true;
        _left--;
        var next = Choose();
        if (next >= 0) GiveTurn(next);
        else _allEnded.Release();
    }

    /// <summary>Threads kept over the schedules: there are thousands of those.</summary>
    private sealed class Workers : IDisposable
    {
        private readonly Thread[] _threads;
        private readonly SemaphoreSlim[] _begin;
        private Action[]? _bodies = [];

        public Workers(Interleaver owner, int count)
        {
            _begin = [.. Enumerable.Range(0, count).Select(_ => new SemaphoreSlim(0))];
            _threads = [.. Enumerable.Range(0, count).Select(i => new Thread(() =>
            {
                while (true)
                {
                    _begin[i].Wait();
                    if (_bodies is not { } bodies) return;
                    owner.RunThread(i, bodies[i]);
                }
            }) { IsBackground = true })];
            foreach (var thread in _threads) thread.Start();
        }

        public void Start(Action[] bodies)
        {
            _bodies = bodies;
            foreach (var begin in _begin) begin.Release();
        }

        public void Dispose()
        {
            _bodies = null;
            foreach (var begin in _begin) begin.Release();
            foreach (var thread in _threads) thread.Join();
        }
    }

    private sealed class AbandonedException : Exception;
}

internal sealed class InterleavingException(string message, Exception inner) : Exception(message, inner);

/// <summary>The seam of the lock-free queues, with a choice before each operation.</summary>
internal readonly struct SteppedAtomics : IAtomics
{
    public static object? Read(ref object? word)
    {
        Interleaver.Step(isFence: false);
        return Volatile.Read(ref word);
    }

    public static object? CompareExchange(ref object? word, object? value, object? comparand)
    {
        Interleaver.Step();
        return Interlocked.CompareExchange(ref word, value, comparand);
    }

    public static object? Exchange(ref object? word, object? value)
    {
        Interleaver.Step();
        return Interlocked.Exchange(ref word, value);
    }
}
