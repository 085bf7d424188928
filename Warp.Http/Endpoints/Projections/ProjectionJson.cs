using System.Globalization;
using System.Text;
using Warp.Http.Events;
using Warp.Http.Projections;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary>Projections and their rows as clients see them.</summary>
internal sealed class ProjectionJson(Store store)
{
    /// <summary>A projection in a list.</summary>
    public void Write(JsonBuffer json, ProjectionStatus status)
    {
        var entry = status.Entry;
        DefinitionReply.Begin(json, entry.Name, entry.Version, entry.CreatedAtMs, entry.UpdatedAtMs, entry.Definition.Source.Span);
        json.Raw(",\"state\":"u8);
        json.Text(status.State.ToString().ToLowerInvariant());
        json.Raw(",\"position\":"u8);
        if (status.Places is { } places) json.Text(Cursor.Format(store.StoreId, [.. places]));
        else json.Raw("null"u8);
        json.Raw(",\"lag\":{\"events\":"u8);
        json.Number(status.LagEvents);
        json.Raw(",\"seconds\":"u8);
        Write(json, status.LagSeconds);
        json.Raw("},\"error\":"u8);
        if (status.Error is { } error) json.Text(error);
        else json.Raw("null"u8);
        WriteRebuild(json, status.Rebuild);
        json.Raw((byte)'}');
    }

    /// <summary>What a PUT answers.</summary>
    public void Write(JsonBuffer json, ProjectionStatus status, bool isChanged)
    {
        Write(json, status);
        DefinitionReply.AddChanged(json, isChanged);
    }

    /// <summary>A projection with its failed rows.</summary>
    /// <param name="failed">Null if the store can't be read.</param>
    public void Write(JsonBuffer json, ProjectionStatus status, FailedRows? failed)
    {
        Write(json, status);
        json.Truncate(json.Length - 1);
        json.Raw(",\"failedCount\":"u8);
        if (failed is null) json.Raw("null"u8);
        else json.Number(failed.Count);
        json.Raw(",\"failed\":["u8);
        for (var i = 0; i < failed?.First.Count; i++)
        {
            if (i > 0) json.Raw((byte)',');
            var row = failed.First[i];
            json.Raw("{\"entity\":"u8);
            json.Text(row.Name);
            json.Raw(",\"seq\":"u8);
            json.Number(row.Seq);
            json.Raw(",\"error\":"u8);
            json.Text(row.Error);
            json.Raw((byte)'}');
        }

        json.Raw("]}"u8);
    }

    /// <summary>A row in an export.</summary>
    public static void Write(JsonBuffer json, ProjectionTable table, StoredRow row)
    {
        json.Raw("{\"projection\":"u8);
        json.Text(table.Projection);
        json.Raw(",\"table\":"u8);
        json.Text(table.View);
        json.Raw(",\"seq\":"u8);
        json.Number(row.Seq);
        json.Raw(",\"row\":{"u8);
        for (var i = 0; i < table.Columns.Count; i++)
        {
            if (i > 0) json.Raw((byte)',');
            json.Text(table.Columns[i].Name);
            json.Raw((byte)':');
            row.Values[i].WriteTo(json);
        }

        json.Raw("}}"u8);
    }

    private static void WriteRebuild(JsonBuffer json, RebuildProgress? rebuild)
    {
        json.Raw(",\"rebuild\":"u8);
        if (rebuild is not { } progress)
        {
            json.Raw("null"u8);
            return;
        }

        json.Raw("{\"rows\":"u8);
        json.Number(progress.Rows);
        json.Raw(",\"events\":"u8);
        json.Number(progress.Events);
        json.Raw(",\"eventsPerSecond\":"u8);
        Write(json, progress.EventsPerSecond);
        json.Raw(",\"secondsLeft\":"u8);
        if (progress.SecondsLeft is { } left) Write(json, left);
        else json.Raw("null"u8);
        json.Raw((byte)'}');
    }

    private static void Write(JsonBuffer json, double number) =>
        json.Raw(Encoding.ASCII.GetBytes(Math.Round(number, 3).ToString("0.###", CultureInfo.InvariantCulture)));
}
