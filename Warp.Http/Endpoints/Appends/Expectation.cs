namespace Warp.Http.Endpoints;

/// <summary>What <c>expect</c> in a body asks for.</summary>
internal struct Expectation
{
    public long? Seq;

    /// <summary>An expression over the folded state of <see cref="Aggregate"/>.</summary>
    public string? When;
    public string? Aggregate;
}
