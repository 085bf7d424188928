using System.IO.Pipelines;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Warp.Http.Tests.Storage;

namespace Warp.Http.Tests.Endpoints;

/// <summary>The service with a gate before its disk, and one before the answers of its streams.</summary>
internal sealed class ReplyGateApp(WriterGate gate) : GatedApp(gate)
{
    private readonly ReplyGate _replies = new();

    /// <summary>True while a stream's replies stand before the gate.</summary>
    public bool IsHoldingReplies => _replies.IsHolding;

    public void HoldReplies() => _replies.Close();

    public void LetRepliesGo() => _replies.Open();

    /// <summary>Whoever sends replies meets an exception that has nothing to do with the connection; null = no more.</summary>
    public void FailReplies(Exception? failure) => _replies.Failure = failure;

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        base.ConfigureWebHost(builder);
        builder.ConfigureServices(services => services.AddSingleton<IStartupFilter>(_replies));
    }

    public override ValueTask DisposeAsync()
    {
        _replies.Open();
        return base.DisposeAsync();
    }

    private sealed class ReplyGate : IStartupFilter
    {
        private volatile TaskCompletionSource? _closed;
        private volatile Exception? _failure;
        private int _waiting;

        public bool IsHolding => Volatile.Read(ref _waiting) > 0;

        public Exception? Failure
        {
            set => _failure = value;
        }

        public void Close() => _closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Open()
        {
            _closed?.TrySetResult();
            _closed = null;
        }

        public async ValueTask PassAsync()
        {
            if (_closed is { } closed)
            {
                Interlocked.Increment(ref _waiting);
                await closed.Task;
                Interlocked.Decrement(ref _waiting);
            }

            if (_failure is { } failure) throw failure;
        }

        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use((context, rest) =>
            {
                var body = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
                if (context.Request.Path == "/v1/events") context.Features.Set<IHttpResponseBodyFeature>(new GatedBody(body, this));
                return rest(context);
            });
            next(app);
        };
    }

    private sealed class GatedBody(IHttpResponseBodyFeature body, ReplyGate gate) : PipeWriter, IHttpResponseBodyFeature
    {
        Stream IHttpResponseBodyFeature.Stream => body.Stream;

        PipeWriter IHttpResponseBodyFeature.Writer => this;

        public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            await gate.PassAsync();
            return await body.Writer.FlushAsync(cancellationToken);
        }

        public override void Advance(int bytes) => body.Writer.Advance(bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0) => body.Writer.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => body.Writer.GetSpan(sizeHint);

        public override void CancelPendingFlush() => body.Writer.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => body.Writer.Complete(exception);

        void IHttpResponseBodyFeature.DisableBuffering() => body.DisableBuffering();

        Task IHttpResponseBodyFeature.StartAsync(CancellationToken cancellationToken) => body.StartAsync(cancellationToken);

        Task IHttpResponseBodyFeature.SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken) =>
            body.SendFileAsync(path, offset, count, cancellationToken);

        Task IHttpResponseBodyFeature.CompleteAsync() => body.CompleteAsync();
    }
}
