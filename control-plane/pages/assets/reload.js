// Looks again after a while, as the page without script does.
setTimeout(() => location.reload(), 3000);
