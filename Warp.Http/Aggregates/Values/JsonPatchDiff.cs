using System.Buffers;
using System.Text;

namespace Warp.Http.Aggregates.Values;

/// <summary>
/// The difference of two values as a JSON Patch (<see href="https://www.rfc-editor.org/rfc/rfc6902">RFC 6902</see>) of add, remove and
/// replace, with JSON Pointers (<see href="https://www.rfc-editor.org/rfc/rfc6901">RFC 6901</see>).
/// </summary>
/// <remarks>
/// Maps are compared member by member. Of lists the common beginning and end are left alone, what lies between is compared item by
/// item, and the rest added or removed: short for lists that grow or lose at one place, correct for all.
/// </remarks>
public static class JsonPatchDiff
{
    private const int DepthMax = 640;

    /// <summary>Writes the patch that makes <paramref name="to"/> of <paramref name="from"/>, both UTF-8 JSON; <c>[]</c> if they are
    /// equal.</summary>
    /// <exception cref="System.Text.Json.JsonException">One of them is not JSON.</exception>
    public static void Write(IBufferWriter<byte> writer, ReadOnlySpan<byte> from, ReadOnlySpan<byte> to) =>
        Write(writer, JsonParser.Parse(from, DepthMax), JsonParser.Parse(to, DepthMax));

    /// <inheritdoc cref="Write(IBufferWriter{byte}, ReadOnlySpan{byte}, ReadOnlySpan{byte})"/>
    public static void Write(IBufferWriter<byte> writer, in JsonValue from, in JsonValue to)
    {
        var diff = new Diff(writer);
        writer.Write("["u8);
        diff.Compare(from, to);
        writer.Write("]"u8);
    }

    private sealed class Diff(IBufferWriter<byte> writer)
    {
        private readonly StringBuilder _path = new();
        private bool _isFirst = true;

        public void Compare(in JsonValue from, in JsonValue to)
        {
            if (from.Kind == JsonKind.Map && to.Kind == JsonKind.Map) CompareMaps(from.Map, to.Map);
            else if (from.Kind == JsonKind.List && to.Kind == JsonKind.List) CompareLists(from.List, to.List);
            else if (!Same(from, to)) Operation("replace", to);
        }

        private void CompareMaps(JsonMap from, JsonMap to)
        {
            foreach (ref readonly var member in from)
            {
                var length = Push(Encoding.UTF8.GetString(member.Name));
                var after = to.Get(member.Name.AsSpan());
                if (after.IsMissing) Operation("remove", default);
                else Compare(member.Value, after);
                _path.Length = length;
            }

            foreach (ref readonly var member in to)
            {
                if (!from.Get(member.Name.AsSpan()).IsMissing) continue;
                var length = Push(Encoding.UTF8.GetString(member.Name));
                Operation("add", member.Value);
                _path.Length = length;
            }
        }

        private void CompareLists(JsonList from, JsonList to)
        {
            var shorter = Math.Min(from.Count, to.Count);
            var start = 0;
            while (start < shorter && Same(from.Items[start], to.Items[start])) start++;
            var end = 0;
            while (end < shorter - start && Same(from.Items[^(end + 1)], to.Items[^(end + 1)])) end++;
            var paired = shorter - end;
            for (var i = start; i < paired; i++) At(i, from.Items[i], to.Items[i]);

            // Added in order, each at its final place; removed from behind, so that no index moves before it is used.
            for (var i = paired; i < to.Count - end; i++) At(i, default, to.Items[i]);
            for (var i = from.Count - end - 1; i >= paired; i--) At(i, from.Items[i], default);
        }

        private void At(int index, in JsonValue from, in JsonValue to)
        {
            var length = Push(index.ToString(System.Globalization.CultureInfo.InvariantCulture));
            if (from.IsMissing) Operation("add", to);
            else if (to.IsMissing) Operation("remove", default);
            else Compare(from, to);
            _path.Length = length;
        }

        private static bool Same(in JsonValue a, in JsonValue b)
        {
            if (a.Kind != b.Kind) return false;
            if (!a.IsContainer && a.Kind is not (JsonKind.Number or JsonKind.Text)) return true;

            // A number whose digits changed (1.0, 1) is the same number, as everywhere; one out of range is compared by its text.
            if (a.IsNumber) return a.IsOutOfRange || b.IsOutOfRange ? NumberText.AreEqual(Text(a), Text(b)) : a.Number == b.Number;
            if (a.Kind == JsonKind.Text) return a.Utf8.AsSpan().SequenceEqual(b.Utf8);
            return JsonEquality.AreEqual(JsonRenderer.ToUtf8(a), JsonRenderer.ToUtf8(b));
        }

        private static byte[] Text(in JsonValue number) => number.Characters ?? JsonRenderer.ToUtf8(number);

        private int Push(string token)
        {
            var length = _path.Length;
            _path.Append('/').Append(token.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal));
            return length;
        }

        private void Operation(string op, in JsonValue value)
        {
            writer.Write(_isFirst ? "{\"op\":\""u8 : ",{\"op\":\""u8);
            _isFirst = false;
            writer.Write(Encoding.ASCII.GetBytes(op));
            writer.Write("\",\"path\":"u8);
            JsonRenderer.RenderText(writer, Encoding.UTF8.GetBytes(_path.ToString()));
            if (!value.IsMissing)
            {
                writer.Write(",\"value\":"u8);
                JsonRenderer.Render(writer, value);
            }

            writer.Write("}"u8);
        }
    }
}
