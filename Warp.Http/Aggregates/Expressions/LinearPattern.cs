using System.Text;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>A pattern compiled to a small program, which is run for all ways through it at once (Thompson's simulation).</summary>
/// <remarks>
/// For each character it visits each instruction at most once, so a search costs characters times instructions, known beforehand and
/// charged as steps. .NET's non-backtracking engine is linear in the text too, but builds its automaton as it goes at a cost that grows
/// without measure with repetitions within each other: seconds for ((a{1,5}){1,5}){1,5}b, which a time-out would end at another place
/// each time a history is folded.
/// </remarks>
internal sealed class LinearPattern
{
    /// <summary>Instructions of a pattern whose repetitions are unfolded.</summary>
    public const int InstructionsMax = 2_000;

    private readonly List<Instruction> _emitted = [];
    private readonly Instruction[] _program;
    private bool _foldsCase;
    private bool _readsCategories;

    private LinearPattern(PatternNode root)
    {
        Emit(root);
        Emit(new Instruction(PatternOp.Match, null, 0, 0));
        _program = [.. _emitted];
    }

    public int Instructions => _program.Length;

    /// <summary>Comparisons that one character beyond ASCII may take in all sets together, besides the visits of instructions.</summary>
    public int Comparisons { get; private set; }

    /// <exception cref="PatternSyntaxException">It is no pattern, or unfolds to more than <see cref="InstructionsMax"/>.</exception>
    public static LinearPattern Compile(string pattern) => new(new PatternParser(pattern).Parse());

    /// <summary>Whether the pattern is found somewhere in the text.</summary>
    public bool IsMatch(ReadOnlySpan<byte> utf8)
    {
        var run = new Run(_program);
        var next = Decode(ref utf8);
        run.Begin(next);
        while (!run.IsFound && next >= 0)
        {
            var taken = new PatternCharacter(next, _foldsCase, _readsCategories);
            next = Decode(ref utf8);
            run.Advance(taken, next);
        }

        return run.IsFound;
    }

    /// <summary>-1 at the end.</summary>
    private static int Decode(ref ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty) return -1;
        if (utf8[0] < 128)
        {
            var ascii = utf8[0];
            utf8 = utf8[1..];
            return ascii;
        }

        Rune.DecodeFromUtf8(utf8, out var rune, out var length);
        utf8 = utf8[length..];
        return rune.Value;
    }

    private void Emit(PatternNode node)
    {
        switch (node)
        {
            case PatternSet set:
                Emit(new Instruction(PatternOp.Set, set.Set, 0, 0));
                Comparisons += set.Set.Comparisons;
                _foldsCase |= set.Set.IgnoresCase;
                _readsCategories |= set.Set.HasCategories;
                break;
            case PatternAssertion assertion:
                Emit(new Instruction(assertion.Op, null, 0, 0));
                break;
            case PatternSequence sequence:
                foreach (var item in sequence.Items) Emit(item);
                break;
            case PatternChoice choice:
                EmitChoice(choice.Options);
                break;
            case PatternRepeat repeat:
                EmitRepeat(repeat);
                break;
        }
    }

    private void EmitChoice(List<PatternNode> options)
    {
        var ends = new List<int>();
        for (var i = 0; i < options.Count - 1; i++)
        {
            var split = Emit(new Instruction(PatternOp.Split, null, 0, 0));
            Emit(options[i]);
            ends.Add(Emit(new Instruction(PatternOp.Jump, null, 0, 0)));
            _emitted[split] = new Instruction(PatternOp.Split, null, split + 1, _emitted.Count);
        }

        Emit(options[^1]);
        foreach (var end in ends) _emitted[end] = new Instruction(PatternOp.Jump, null, _emitted.Count, 0);
    }

    private void EmitRepeat(PatternRepeat repeat)
    {
        for (var i = 0; i < repeat.Min; i++)
        {
            var before = _emitted.Count;
            Emit(repeat.Item);
            if (_emitted.Count == before) break; // what is empty stays empty: a thousand times a thousand of it would never end
        }

        if (repeat.Max < 0)
        {
            var loop = Emit(new Instruction(PatternOp.Split, null, 0, 0));
            Emit(repeat.Item);
            Emit(new Instruction(PatternOp.Jump, null, loop, 0));
            _emitted[loop] = new Instruction(PatternOp.Split, null, loop + 1, _emitted.Count);
            return;
        }

        var splits = new List<int>();
        for (var i = repeat.Min; i < repeat.Max; i++)
        {
            splits.Add(Emit(new Instruction(PatternOp.Split, null, 0, 0)));
            Emit(repeat.Item);
        }

        foreach (var split in splits) _emitted[split] = new Instruction(PatternOp.Split, null, split + 1, _emitted.Count);
    }

    private int Emit(Instruction instruction)
    {
        // Also ends the unfolding of what is repeated a thousand times within what is.
        if (_emitted.Count == InstructionsMax) throw new PatternSyntaxException($"unfolded it has more than {InstructionsMax} parts");
        _emitted.Add(instruction);
        return _emitted.Count - 1;
    }

    private readonly record struct Instruction(PatternOp Op, CharacterSet? Set, int To, int Or);

    /// <summary>The places in the program that the text so far leads to.</summary>
    private struct Run(Instruction[] program)
    {
        private readonly int[] _visited = new int[program.Length]; // the position at which an instruction was last visited
        private readonly int[] _pending = new int[(2 * program.Length) + 1];
        private int[] _current = new int[program.Length];
        private int[] _following = new int[program.Length];
        private int _count;
        private int _position;

        public bool IsFound { get; private set; }

        public void Begin(int next)
        {
            _position = 1;
            _count = 0;
            Follow(0, -1, next, _current, ref _count);
        }

        public void Advance(in PatternCharacter taken, int next)
        {
            _position++;
            var count = 0;
            for (var i = 0; i < _count; i++)
                if (program[_current[i]].Set!.Contains(taken)) Follow(_current[i] + 1, taken.Code, next, _following, ref count);
            Follow(0, taken.Code, next, _following, ref count); // a match may begin anywhere
            (_current, _following, _count) = (_following, _current, count);
        }

        /// <summary>Goes through what takes no character. With a stack of its own: a program's jumps may be as long as it is.</summary>
        private void Follow(int start, int previous, int next, int[] reached, ref int count)
        {
            var pending = 0;
            _pending[pending++] = start;
            while (pending > 0)
            {
                var at = _pending[--pending];
                if (_visited[at] == _position) continue;
                _visited[at] = _position;
                ref readonly var instruction = ref program[at];
                switch (instruction.Op)
                {
                    case PatternOp.Set:
                        reached[count++] = at;
                        break;
                    case PatternOp.Split:
                        _pending[pending++] = instruction.Or;
                        _pending[pending++] = instruction.To;
                        break;
                    case PatternOp.Jump:
                        _pending[pending++] = instruction.To;
                        break;
                    case PatternOp.Match:
                        IsFound = true;
                        break;
                    default:
                        if (Holds(instruction.Op, previous, next)) _pending[pending++] = at + 1;
                        break;
                }
            }
        }

        private static bool Holds(PatternOp assertion, int previous, int next) => assertion switch
        {
            PatternOp.TextBegin => previous < 0,
            PatternOp.TextEnd => next < 0,
            PatternOp.LineBegin => previous is < 0 or '\n',
            PatternOp.LineEnd => next is < 0 or '\n',
            PatternOp.WordBoundary => IsWord(previous) != IsWord(next),
            _ => IsWord(previous) == IsWord(next),
        };

        private static bool IsWord(int c) => c is >= '0' and <= '9' or >= 'A' and <= 'Z' or '_' or >= 'a' and <= 'z';
    }
}
