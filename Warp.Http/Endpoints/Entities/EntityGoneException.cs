namespace Warp.Http.Endpoints;

/// <summary>The entity was erased while its events were being sent: what was sent must not pass for the whole.</summary>
public sealed class EntityGoneException : Exception
{
    public EntityGoneException()
        : base("The entity was erased while it was read.")
    {
    }

    public EntityGoneException(string message)
        : base(message)
    {
    }

    public EntityGoneException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
