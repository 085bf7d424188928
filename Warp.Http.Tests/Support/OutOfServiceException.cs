namespace Warp.Http.Tests.Support;

/// <summary>The service started but keeps its data out of service, because it found it damaged: waiting longer changes nothing.</summary>
public sealed class OutOfServiceException(string message) : Exception(message);
