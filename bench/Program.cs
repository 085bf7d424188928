using BenchmarkDotNet.Running;
using Warp.Http.Bench;

if (args is ["wide", ..]) return await WideRun.RunAsync(args);
if (args is ["recovery", ..]) return await RecoveryRun.RunAsync(args);
if (args is ["runs", ..]) return RunsRun.Run(args);
BenchmarkSwitcher.FromAssembly(System.Reflection.Assembly.GetExecutingAssembly()).Run(args);
return 0;
