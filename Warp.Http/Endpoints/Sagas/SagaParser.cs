using System.Globalization;
using System.Text;
using System.Text.Json;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Sagas;

namespace Warp.Http.Endpoints;

/// <summary>Reads <c>{"steps":[…],"timeout"?}</c>, strictly, and refuses with the JSON path.</summary>
/// <remarks>Over one copy of the body, of which the steps keep slices: payloads as they were sent, on one line.</remarks>
internal ref struct SagaParser
{
    private readonly Limits _limits;
    private readonly ConditionCache _conditions;
    private readonly ReadOnlyMemory<byte> _json;
    private readonly List<SagaStep> _steps = [];
    private Utf8JsonReader _reader;
    private TimeSpan? _timeout;
    private Problem? _problem;
    private string _path = "$";

    private SagaParser(ReadOnlyMemory<byte> json, Limits limits, ConditionCache conditions)
    {
        (_json, _limits, _conditions) = (json, limits, conditions);
        _reader = new Utf8JsonReader(json.Span, new JsonReaderOptions { MaxDepth = limits.JsonDepth });
    }

    public static Problem? Parse(ReadOnlySpan<byte> body, Limits limits, ConditionCache conditions, out IReadOnlyList<SagaStep> steps, out TimeSpan timeout)
    {
        steps = [];
        timeout = SagaOptions.TimeoutDefault;
        if (JsonStrictness.CheckDocument(body, limits) is { } invalid) return invalid;
        var line = new byte[body.Length];
        var parser = new SagaParser(line.AsMemory(0, JsonStrictness.Compact(body, line)), limits, conditions);
        parser._reader.Read();
        parser.Root();
        steps = parser._steps;
        timeout = parser._timeout ?? timeout;
        return parser._problem;
    }

    private bool Root()
    {
        if (_reader.TokenType != JsonTokenType.StartObject) return Refuse("$", "A saga is an object with steps.");
        var hasSteps = false;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            if (_reader.ValueTextEquals("steps"u8))
            {
                if (hasSteps) return Refuse("$.steps", "The member is given twice.");
                hasSteps = true;
                if (!Steps()) return false;
            }
            else if (_reader.ValueTextEquals("timeout"u8))
            {
                if (_timeout is not null) return Refuse("$.timeout", "The member is given twice.");
                if (!Duration()) return false;
            }
            else
            {
                return RefuseUnknown("a saga has steps and timeout");
            }
        }

        return hasSteps || Refuse("$.steps", "The steps are missing.");
    }

    private bool Duration()
    {
        _reader.Read();
        if (_reader.TokenType == JsonTokenType.String && QueryParameters.TryDuration(_reader.GetString()!, out var timeout)
            && timeout >= SagaOptions.TimeoutMin && timeout <= SagaOptions.TimeoutMax)
        {
            _timeout = timeout;
            return true;
        }

        return Refuse("$.timeout", "The timeout is a duration such as 500ms, 30s or 5m, from 100ms to 60m.");
    }

    private bool Steps()
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartArray) return Refuse("$.steps", "The steps are an array.");
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            _path = string.Create(CultureInfo.InvariantCulture, $"$.steps[{_steps.Count}]");
            if (_steps.Count == _limits.SagaSteps) return RefuseTooMany();
            if (_reader.TokenType != JsonTokenType.StartObject) return Refuse(_path, "A step is an object.");
            if (!Step()) return false;
        }

        _path = "$";
        return _steps.Count > 0 || Refuse("$.steps", "A saga has 1 step or more.");
    }

    private bool RefuseTooMany()
    {
        var count = _steps.Count;
        do
        {
            count++;
            _reader.Skip();
        }
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray);

        _problem = Problems.PayloadTooLarge("The saga's number of steps", "sagaSteps", _limits.SagaSteps, count, "$.steps");
        return false;
    }

    private bool Step()
    {
        ReadOnlyMemory<byte> entity = default, aggregate = default;
        StepEvent? action = null, compensation = null;
        int? schemaVersion = null;
        (long? Seq, string? When, string? Aggregate)? expect = null;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            if (_reader.ValueTextEquals("entity"u8))
            {
                if (!entity.IsEmpty) return RefuseTwice("entity");
                if (!Text("entity", out entity) || !CheckEntity(entity.Span)) return false;
            }
            else if (_reader.ValueTextEquals("aggregate"u8))
            {
                if (!aggregate.IsEmpty) return RefuseTwice("aggregate");
                if (!Text("aggregate", out aggregate) || !CheckName(".aggregate", aggregate.Span)) return false;
            }
            else if (_reader.ValueTextEquals("schemaVersion"u8))
            {
                if (schemaVersion is not null) return RefuseTwice("schemaVersion");
                _reader.Read();
                if (_reader.TokenType != JsonTokenType.Number || !_reader.TryGetInt32(out var version) || version < 1)
                    return Refuse(_path + ".schemaVersion", $"A schemaVersion is an integer from 1 to {int.MaxValue}.");
                schemaVersion = version;
            }
            else if (_reader.ValueTextEquals("action"u8))
            {
                if (action is not null) return RefuseTwice("action");
                if (!Event(".action", out action)) return false;
            }
            else if (_reader.ValueTextEquals("compensation"u8))
            {
                if (compensation is not null) return RefuseTwice("compensation");
                if (!Event(".compensation", out compensation)) return false;
            }
            else if (_reader.ValueTextEquals("expect"u8))
            {
                if (expect is not null) return RefuseTwice("expect");
                if (!Expect(out expect)) return false;
            }
            else
            {
                return RefuseUnknown("a step has entity, aggregate, schemaVersion, action, compensation and expect");
            }
        }

        if (entity.IsEmpty) return Refuse(_path + ".entity", "The entity is missing; a step names it as in \"user/alice\".");
        if (action is null) return Refuse(_path + ".action", "The action is missing; every step has one.");
        _steps.Add(new SagaStep(entity, aggregate, schemaVersion ?? 1, action.Value, compensation)
        {
            ExpectSeq = expect?.Seq,
            ExpectWhen = expect?.When,
            ExpectAggregate = expect?.Aggregate,
        });
        return true;
    }

    private bool CheckEntity(ReadOnlySpan<byte> name)
    {
        if (!EntityName.TryCheck(name, _limits, out var error)) _problem = Problems.InvalidEntityId(error!, _path + ".entity");
        else if (EntityName.IsReserved(name)) _problem = Problems.ReservedKind(name[..name.IndexOf((byte)'/')]);
        return _problem is null;
    }

    private bool CheckName(string member, ReadOnlySpan<byte> name) =>
        EventParser.IsName(name) || Refuse(_path + member, $"An aggregate's name matches [A-Za-z][A-Za-z0-9_.-]{{0,{Limits.NameChars - 1}}}.");

    private bool Event(string member, out StepEvent? e)
    {
        e = null;
        _reader.Read();
        var path = _path + member;
        if (_reader.TokenType != JsonTokenType.StartObject) return Refuse(path, "It is an object with type and payload.");
        var from = (int)_reader.TokenStartIndex;
        ReadOnlyMemory<byte> type = default, payload = default;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            if (_reader.ValueTextEquals("type"u8))
            {
                if (!type.IsEmpty) return RefuseTwice(member[1..] + ".type");
                if (!Text(member[1..] + ".type", out type)) return false;
                if (EventParser.TypeError(type.Span, _limits) is { } error) return Refuse(path + ".type", error);
            }
            else if (_reader.ValueTextEquals("payload"u8))
            {
                if (!payload.IsEmpty) return RefuseTwice(member[1..] + ".payload");
                _reader.Read();
                var at = (int)_reader.TokenStartIndex;
                _reader.Skip();
                payload = _json[at..(int)_reader.BytesConsumed];
            }
            else
            {
                _path = path;
                return RefuseUnknown("it has type and payload");
            }
        }

        var bytes = (int)_reader.BytesConsumed - from;
        if (bytes > _limits.EventBytes)
        {
            _problem = Problems.PayloadTooLarge("The event's length in bytes", "eventBytes", _limits.EventBytes, bytes, path);
            return false;
        }

        if (type.IsEmpty) return Refuse(path + ".type", "The type is missing; every event has one.");
        e = new StepEvent(type, payload.IsEmpty ? "{}"u8.ToArray() : payload);
        return true;
    }

    private bool Expect(out (long? Seq, string? When, string? Aggregate)? expect)
    {
        expect = null;
        var path = _path + ".expect";
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartObject) return Refuse(path, "The expectation is an object.");
        long? seq = null;
        string? when = null, aggregate = null;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            if (_reader.ValueTextEquals("seq"u8))
            {
                if (seq is not null) return RefuseTwice("expect.seq");
                _reader.Read();
                if (_reader.TokenType != JsonTokenType.Number || !_reader.TryGetInt64(out var expected) || expected < 0)
                    return Refuse(path + ".seq", "The seq is an integer, 0 or more.");
                seq = expected;
            }
            else if (_reader.ValueTextEquals("when"u8))
            {
                if (when is not null) return RefuseTwice("expect.when");
                if (!Text("expect.when", out var text)) return false;
                when = Encoding.UTF8.GetString(text.Span);
                if (when.Length == 0) return Refuse(path + ".when", "The condition is empty.");
                if (!_conditions.TryGet(when, out _, out var error)) return Refuse(path + ".when", error!.ToString());
            }
            else if (_reader.ValueTextEquals("aggregate"u8))
            {
                if (aggregate is not null) return RefuseTwice("expect.aggregate");
                if (!Text("expect.aggregate", out var name) || !CheckName(".expect.aggregate", name.Span)) return false;
                aggregate = Encoding.ASCII.GetString(name.Span);
            }
            else
            {
                _path = path;
                return RefuseUnknown("expect has seq, when and aggregate");
            }
        }

        if (aggregate is not null && when is null)
            return Refuse(path + ".when", "expect.aggregate says whose state expect.when is judged on; when is missing.");
        expect = (seq, when, aggregate);
        return true;
    }

    /// <summary>A string's text: in place, or decoded where it has escapes.</summary>
    private bool Text(string member, out ReadOnlyMemory<byte> text)
    {
        text = default;
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.String) return Refuse($"{_path}.{member}", "The value is a string.");
        if (!_reader.ValueIsEscaped)
        {
            text = _json[((int)_reader.TokenStartIndex + 1)..((int)_reader.BytesConsumed - 1)];
        }
        else
        {
            var decoded = new byte[_reader.ValueSpan.Length];
            text = decoded.AsMemory(0, _reader.CopyString(decoded));
        }

        return true;
    }

    private bool RefuseTwice(string member) => Refuse($"{_path}.{member}", "The member is given twice.");

    private bool RefuseUnknown(string known)
    {
        var name = _reader.GetString()!;
        return Refuse($"{_path}.{(name.Length <= 64 ? name : name[..64] + "…")}", $"The member is unknown; {known}.");
    }

    private bool Refuse(string path, string detail)
    {
        _problem ??= Problems.InvalidRequest(path, $"{path}: {detail}");
        return false;
    }
}
