using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <summary>A list of statements as rqlite reads it: <c>["SQL", ["SQL ?", p1], ["SQL :a", {"a":1}]]</c>.</summary>
/// <remarks>
/// A text parameter of the form <c>x'41'</c> would become a BLOB. The service's own are names, cursors and JSON, which never have that form; whatever
/// comes from events goes inside JSON.
/// </remarks>
internal sealed class RqliteBody : IDisposable
{
    private readonly JsonBuffer _json = JsonBuffer.Rent();

    public RqliteBody() => _json.Raw((byte)'[');

    public int Statements { get; private set; }

    public JsonBuffer Finish()
    {
        _json.Raw((byte)']');
        return _json;
    }

    public RqliteBody Add(string sql, params ReadOnlySpan<SqlValue> parameters)
    {
        Begin(sql);
        foreach (var parameter in parameters)
        {
            _json.Raw((byte)',');
            parameter.WriteTo(_json);
        }

        _json.Raw((byte)']');
        return this;
    }

    public RqliteBody AddNamed(string sql, IReadOnlyDictionary<string, SqlValue> parameters)
    {
        Begin(sql);
        _json.Raw(",{"u8);
        var isFirst = true;
        foreach (var (name, value) in parameters)
        {
            if (!isFirst) _json.Raw((byte)',');
            isFirst = false;
            _json.Text(name);
            _json.Raw((byte)':');
            value.WriteTo(_json);
        }

        _json.Raw("}]"u8);
        return this;
    }

    /// <summary>A statement whose one parameter is a list of lists, for <c>json_each(?)</c>.</summary>
    public RqliteBody AddRows(string sql, JsonBuffer rows)
    {
        Begin(sql);
        _json.Raw((byte)',');
        _json.Text(rows.Written);
        _json.Raw((byte)']');
        return this;
    }

    public void Dispose() => _json.Dispose();

    private void Begin(string sql)
    {
        if (Statements++ > 0) _json.Raw((byte)',');
        _json.Raw((byte)'[');
        _json.Text(sql);
    }
}
