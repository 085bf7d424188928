using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary>A verification's report as clients see it; the same shape while it runs.</summary>
internal static class VerifyJson
{
    public static void Write(JsonBuffer json, VerifyReport report)
    {
        json.Raw("{\"status\":"u8);
        json.Text(NameOf(report.Status));
        json.Raw(",\"phase\":"u8);
        json.Text(report.Phase);
        json.Raw(",\"percent\":"u8);
        json.Raw(System.Text.Encoding.ASCII.GetBytes(report.Percent.ToString("0.#", System.Globalization.CultureInfo.InvariantCulture)));
        json.Raw(",\"bytes\":"u8);
        json.Number(report.Bytes);
        json.Raw(",\"bytesTotal\":"u8);
        json.Number(report.BytesTotal);
        json.Raw(",\"startedAt\":"u8);
        json.Time(report.StartedAt.ToUnixTimeMilliseconds());
        json.Raw(",\"finishedAt\":"u8);
        if (report.FinishedAt is { } finished) json.Time(finished.ToUnixTimeMilliseconds());
        else json.Raw("null"u8);
        json.Raw(",\"seconds\":"u8);
        WriteSeconds(json, report.Seconds);
        json.Raw(",\"problemsFound\":"u8);
        json.Number(report.ProblemsFound);
        json.Raw(",\"problems\":["u8);
        for (var i = 0; i < report.Problems.Count; i++)
        {
            if (i > 0) json.Raw((byte)',');
            Write(json, report.Problems[i]);
        }

        json.Raw("],\"shards\":["u8);
        for (var i = 0; i < report.Shards.Count; i++)
        {
            if (i > 0) json.Raw((byte)',');
            Write(json, report.Shards[i]);
        }

        json.Raw("]}"u8);
    }

    private static void Write(JsonBuffer json, VerifyProblem problem)
    {
        json.Raw("{\"shard\":"u8);
        if (problem.Shard is { } shard) json.Number(shard);
        else json.Raw("null"u8);
        json.Raw(",\"file\":"u8);
        json.Text(problem.File);
        json.Raw(",\"where\":"u8);
        json.Text(problem.Where);
        json.Raw(",\"what\":"u8);
        json.Text(problem.What);
        json.Raw(problem.IsDamage ? ",\"damage\":true"u8 : ",\"damage\":false"u8);
        json.Raw((byte)'}');
    }

    private static void Write(JsonBuffer json, VerifyShard shard)
    {
        json.Raw("{\"shard\":"u8);
        json.Number(shard.Shard);
        json.Raw(",\"status\":"u8);
        json.Text(NameOf(shard.Status));
        json.Raw(",\"files\":"u8);
        json.Number(shard.Files);
        json.Raw(",\"bytes\":"u8);
        json.Number(shard.Bytes);
        json.Raw(",\"events\":"u8);
        json.Number(shard.Events);
        json.Raw(",\"entities\":"u8);
        json.Number(shard.Entities);
        json.Raw(",\"seconds\":"u8);
        WriteSeconds(json, shard.Seconds);
        json.Raw((byte)'}');
    }

    private static void WriteSeconds(JsonBuffer json, double seconds) =>
        json.Raw(System.Text.Encoding.ASCII.GetBytes(seconds.ToString("0.###", System.Globalization.CultureInfo.InvariantCulture)));

    private static string NameOf(VerifyStatus status) => status switch
    {
        VerifyStatus.Running => "running",
        VerifyStatus.Ok => "ok",
        VerifyStatus.Damaged => "damaged",
        VerifyStatus.Incomplete => "incomplete",
        _ => "stopped",
    };
}
