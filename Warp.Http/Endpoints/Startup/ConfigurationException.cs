namespace Warp.Http.Endpoints;

/// <summary>A setting keeps the service from starting. The message is for the operator and names the setting and its value.</summary>
public sealed class ConfigurationException : Exception
{
    public ConfigurationException()
    {
    }

    public ConfigurationException(string message)
        : base(message)
    {
    }

    public ConfigurationException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
