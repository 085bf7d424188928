using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary>Tells failures that the operator can mend, in one line, from bugs, which keep their stack trace.</summary>
internal static class StartFailure
{
    public static string? Explain(Exception error) => error switch
    {
        ConfigurationException or DataDirectoryException or DefinitionStoreException => error.Message,
        OptionsValidationException invalid => string.Join(Environment.NewLine, invalid.Failures),
        IOException { InnerException: AddressInUseException or SocketException } => error.Message,
        SocketException => $"Can't listen: {error.Message}.",
        InvalidOperationException when error.Message.StartsWith("Failed to convert configuration value", StringComparison.Ordinal) => error.Message,
        FormatException => error.Message,
        AggregateException several when several.InnerExceptions.Select(Explain).ToList() is var explained && !explained.Contains(null) =>
            string.Join(Environment.NewLine, explained),
        FileNotFoundException { FileName: { } name } when !Path.IsPathFullyQualified(name) =>
            $"{name} can't be loaded. Either the installation is not complete, or the process may open no more files (ulimit -Hn).",
        IOException or UnauthorizedAccessException or OutOfMemoryException when SystemErrors.AdviceFor(error) is { } advice => $"{error.Message} {advice}",
        _ => null,
    };
}
