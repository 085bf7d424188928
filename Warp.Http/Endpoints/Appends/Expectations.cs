using System.Globalization;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>Puts a body's <c>expect</c> onto the command, where it must agree with the headers.</summary>
internal sealed class Expectations(Limits limits)
{
    private readonly ConditionCache _conditions = new(limits.ExpressionChars);

    public Problem? Apply(in Expectation expectation, AppendCommand command)
    {
        if (expectation.Seq is { } seq)
        {
            if (command.Expect.Seq is { } fromHeader && fromHeader != seq)
            {
                return Problems.InvalidRequest("$.expect.seq", string.Create(CultureInfo.InvariantCulture,
                    $"$.expect.seq: {seq} contradicts the header, which expects {fromHeader}."));
            }

            command.Expect = command.Expect with { Seq = seq };
        }

        if (expectation.When is null) return null;
        if (!_conditions.TryGet(expectation.When, out var condition, out var error)) return Problems.InvalidRequest("$.expect.when", $"$.expect.when: {error}");
        command.When = new AppendCondition(condition!, expectation.Aggregate);
        return null;
    }
}
