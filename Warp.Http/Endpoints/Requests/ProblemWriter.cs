using System.Buffers;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary>Sends a <see cref="Problem"/> as <c>application/problem+json</c>, or writes it into a line of a stream, and counts it.</summary>
internal static class ProblemWriter
{
    public const string ContentType = "application/problem+json";

    private static readonly Counter<long> s_problems =
        StorageMetrics.Meter.CreateCounter<long>("warp_http_problems", "{problem}", "Refused or failed requests and stream lines, by problem type.");

    public static Task WriteAsync(HttpContext context, Problem problem)
    {
        var response = context.Response;
        response.StatusCode = problem.Status;
        response.ContentType = ContentType;
        response.Headers.CacheControl = "no-store";
        if (problem.RetryAfterSeconds > 0) response.Headers.RetryAfter = problem.RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
        if (problem.Allow is not null) response.Headers.Allow = problem.Allow;
        using var json = JsonBuffer.Rent();
        WriteJson(json, problem, context);
        response.ContentLength = json.Length;
        response.BodyWriter.Write(json.Written);
        return Task.CompletedTask;
    }

    public static void WriteJson(JsonBuffer json, Problem problem, HttpContext context)
    {
        s_problems.Add(1, new KeyValuePair<string, object?>("type", problem.Type));
        WriteJson(json, problem, RequestTarget.PathOf(context), TraceIdOf(context));
    }

    /// <summary>A problem of the past, which an answer tells of: it is the same whoever asks, and nothing failed now.</summary>
    /// <param name="instance">Where it happened.</param>
    public static void WritePast(JsonBuffer json, Problem problem, string instance) => WriteJson(json, problem, instance, null);

    private static void WriteJson(JsonBuffer json, Problem problem, ReadOnlySpan<char> instance, string? traceId)
    {
        json.Raw("{\"type\":"u8);
        json.Text(string.Concat("/problems/", problem.Type));
        json.Raw(",\"title\":"u8);
        json.Text(problem.Title);
        json.Raw(",\"status\":"u8);
        json.Number(problem.Status);
        json.Raw(",\"detail\":"u8);
        json.Text(problem.Detail);
        json.Raw(",\"instance\":"u8);
        json.Text(instance);
        if (traceId is not null)
        {
            json.Raw(",\"traceId\":"u8);
            json.Text(traceId);
        }

        json.Raw(problem.Retryable ? ",\"retryable\":true"u8 : ",\"retryable\":false"u8);
        if (problem.Errors.Count > 0) WriteErrors(json, problem.Errors);
        else if (problem.ErrorPath is not null) WriteErrors(json, [(problem.ErrorPath, problem.Detail)]);
        foreach (var (name, value) in problem.Extras) WriteExtra(json, name, value);
        json.Raw((byte)'}');
    }

    /// <summary>The caller's trace where <c>traceparent</c> names one, else one made for this request, which the log then shows too.</summary>
    public static string TraceIdOf(HttpContext context)
    {
        if (Activity.Current is { } activity) return activity.TraceId.ToHexString();
        var feature = context.Features.Get<TraceIdFeature>();
        if (feature is not null) return feature.TraceId;
        var traceId = ActivityContext.TryParse(context.Request.Headers[HeaderNames.TraceParent], null, out var parent)
            ? parent.TraceId.ToHexString()
            : ActivityTraceId.CreateRandom().ToHexString();
        context.Features.Set(new TraceIdFeature(traceId));
        return traceId;
    }

    /// <summary>One member for a place, with all that is wrong there.</summary>
    private static void WriteErrors(JsonBuffer json, IReadOnlyList<(string Path, string Text)> errors)
    {
        var separator = ",\"errors\":{"u8;
        foreach (var place in errors.GroupBy(e => e.Path, StringComparer.Ordinal))
        {
            json.Raw(separator);
            json.Text(place.Key);
            json.Raw((byte)':');
            WriteTexts(json, [.. place.Select(e => e.Text)]);
            separator = ","u8;
        }

        json.Raw((byte)'}');
    }

    private static void WriteExtra(JsonBuffer json, string name, object? value)
    {
        json.Raw((byte)',');
        json.Text(name);
        json.Raw((byte)':');
        switch (value)
        {
            case null: json.Raw("null"u8); break;
            case long number: json.Number(number); break;
            case bool truth: json.Raw(truth ? "true"u8 : "false"u8); break;
            case IReadOnlyList<string> texts: WriteTexts(json, texts); break;
            default: json.Text((string)value); break;
        }
    }

    private static void WriteTexts(JsonBuffer json, IReadOnlyList<string> texts)
    {
        json.Raw((byte)'[');
        for (var i = 0; i < texts.Count; i++)
        {
            if (i > 0) json.Raw((byte)',');
            json.Text(texts[i]);
        }

        json.Raw((byte)']');
    }

    private sealed record TraceIdFeature(string TraceId);
}
