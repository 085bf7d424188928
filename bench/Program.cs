using BenchmarkDotNet.Running;
using Warp.Http.Bench;

// Long measurements stand beside the micro-benchmarks: each says in bench/README.md what it is for.
switch (args.FirstOrDefault())
{
    case "growth": return await Growth.RunAsync(args[1..]);
    case "cold": return await ColdRead.RunAsync(args[1..]);
    case "wide": return await WideRun.RunAsync(args);
    case "recovery": return await RecoveryRun.RunAsync(args);
    case "runs": return RunsRun.Run(args);
    case "projections": return await ProjectionRuns.RunAsync(args);
    default:
        BenchmarkSwitcher.FromAssembly(System.Reflection.Assembly.GetExecutingAssembly()).Run(args);
        return 0;
}
