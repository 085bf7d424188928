var builder = WebApplication.CreateSlimBuilder(args);
var app = builder.Build();
app.Run();

/// <summary>The composition root; public so that a test host can start it in-process.</summary>
public sealed partial class Program;
