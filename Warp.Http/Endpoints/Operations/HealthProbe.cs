using System.Net;
using System.Net.Sockets;

namespace Warp.Http.Endpoints;

/// <summary><c>--health</c>: what a container's health check runs, so that the image needs no curl.</summary>
internal static class HealthProbe
{
    /// <summary>0 if the service on this machine answers, else 1.</summary>
    public static async Task<int> RunAsync(IConfiguration configuration)
    {
        var url = AppUrls.All(configuration).Find(u => u.StartsWith("http", StringComparison.OrdinalIgnoreCase)) ?? AppUrls.Default;
        var address = BindingAddress.Parse(url);
        try
        {
            // The certificate names the public host, not this loopback address; it is our own process that answers.
#pragma warning disable MA0039, CA5359
            using var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true } };
#pragma warning restore MA0039, CA5359
            using var client = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(3) };
            var host = IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && !ip.Equals(IPAddress.Any) && !ip.Equals(IPAddress.IPv6Any) ? address.Host : "localhost";
            using var response = await client.GetAsync(new Uri($"{address.Scheme}://{host}:{address.Port}/health/live"));
            return response.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception error) when (error is HttpRequestException or SocketException or OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"{url} does not answer: {error.Message}");
            return 1;
        }
    }
}
