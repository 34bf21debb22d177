// The private network: one subnet that the app sends from, one that holds the private endpoints.
param location string
param tags object
param token string

resource closed 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'nsg-cortex-${token}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'deny-internet-in'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: 'vnet-cortex-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.71.0.0/16'] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: '10.71.0.0/24'
          networkSecurityGroup: { id: closed.id }
          // Flex Consumption sends from a subnet of its own, delegated to it.
          delegations: [{ name: 'app', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'endpoints'
        properties: { addressPrefix: '10.71.1.0/24', networkSecurityGroup: { id: closed.id } }
      }
    ]
  }
}
